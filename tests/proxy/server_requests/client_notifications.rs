//! Client notifications: each reaches the client's own sessions with legacy servers, and modern servers.

use serde_json::json;

use crate::server_requests::helpers::all_capabilities;
use crate::server_requests::sessions::{call_as, echo_server, sessions_of_calls};
use testkit::proxy;
use testkit::upstream;

#[tokio::test]
async fn client_notifications_reach_its_own_sessions() {
    let legacy = echo_server().await;
    let modern = upstream::modern().tool("work").start().await;
    let shared = upstream::http_sse().tool("share").start().await;
    let proxy = proxy::new().upstream("a", &legacy).upstream("b", &modern);
    let mut client = proxy.upstream("c", &shared).start().await;
    client.initialize_with(all_capabilities()).await;
    client.tools().await;
    // The session of a client with other capabilities.
    call_as(&mut client, "90", "{}").await;
    client.call("echo", json!({})).await;
    let roots =
        r#"{"jsonrpc":"2.0","method":"notifications\/roots/list_changed","params":{ "x":1.0 }}"#;
    let unknown = r#"{"jsonrpc":"2.0","method":"notifications/x/y","x":1E2}"#;
    client.send_line(roots).await;
    client.send_line(unknown).await;
    for server in [&legacy, &shared, &modern] {
        server.wait_for_request("notifications/x/y").await;
    }
    let own = sessions_of_calls(&legacy).pop();
    for (method, line) in [
        ("notifications/roots/list_changed", roots),
        ("notifications/x/y", unknown),
    ] {
        legacy.wait_for_request(method).await;
        shared.wait_for_request(method).await;
        for server in [&legacy, &shared] {
            let requests = server.requests_of(method);
            assert_eq!(requests.len(), 1, "{method}");
            assert_eq!(requests[0].text(), line);
        }
        let request = legacy.requests_of(method).remove(0);
        assert_eq!(request.header("mcp-session-id"), own.as_deref(), "{method}");
    }
    assert!(
        modern
            .requests_of("notifications/roots/list_changed")
            .is_empty()
    );
    assert_eq!(modern.requests_of("notifications/x/y")[0].text(), unknown);
}

#[tokio::test]
async fn client_notifications_without_a_session_reach_all_servers() {
    let legacy = echo_server().await;
    let modern = upstream::modern().tool("work").start().await;
    let proxy = proxy::new().upstream("a", &legacy).upstream("b", &modern);
    let mut client = proxy.start().await;
    client.declare(all_capabilities());
    client.tools().await;
    client.notify("notifications/x/y", json!({})).await;
    legacy.wait_for_request("notifications/x/y").await;
    modern.wait_for_request("notifications/x/y").await;
}
