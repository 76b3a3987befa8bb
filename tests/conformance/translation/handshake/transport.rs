//! HTTP headers, arguments in headers, and sessions.

use serde_json::json;

use super::{EVERYTHING, sessions_of};
use crate::pairing::Pairing;
use testkit::json::text_of;
use testkit::raw::{Reply, Request};
use testkit::upstream::Upstream;

pub(super) async fn session_headers_are_sent(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    let requests = server.raw.requests();
    let opened = requests.iter().position(|r| r.is("initialize")).unwrap();
    let open = &requests[opened];
    assert_eq!(open.header("mcp-session-id"), None);
    for request in &requests[opened + 1..] {
        assert_eq!(request.header("mcp-session-id"), Some("session-1"));
        let version = request.header("mcp-protocol-version");
        assert_eq!(version, Some("2025-11-25"));
        assert_eq!(request.header("mcp-method"), None);
    }
}

pub(super) async fn request_headers_are_sent(pairing: Pairing) {
    let server = pairing.server().tool("t é").start().await;
    let mut client = pairing.client(&server).await;
    let name = client.tool_names().await.remove(0);
    client.call(&name, json!({})).await;
    for request in server.raw.requests() {
        let method = request.rpc_method();
        assert_eq!(request.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(request.header("mcp-method"), Some(&*method));
        assert_eq!(request.header("mcp-session-id"), None);
        let name = (method == "tools/call").then_some("=?base64?dCDDqQ==?=");
        assert_eq!(request.header("mcp-name"), name);
    }
}

/// A tool whose argument `r` is sent in the header `Mcp-Param-Region`.
const PARAM_HEADER_TOOL: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}"#;

pub(super) async fn param_headers_are_not_sent(pairing: Pairing) {
    let server = pairing.server().tool_raw(PARAM_HEADER_TOOL).start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({"r": "eu"})).await;
    let call = &server.requests_of("tools/call")[0];
    assert_eq!(call.header("mcp-param-region"), None);
}

pub(super) async fn param_headers_are_sent(pairing: Pairing) {
    let server = pairing.server().tool_raw(PARAM_HEADER_TOOL).start().await;
    let mut client = pairing.client(&server).await;
    for (argument, header) in [
        (json!({"r": "eu"}), Some("eu")),
        (json!({"r": "é"}), Some("=?base64?w6k=?=")),
        (json!({"r": null}), None),
        (json!({}), None),
    ] {
        let response = client.call("t", argument).await;
        assert!(response["result"].is_object(), "{response}");
        let call = server.requests_of("tools/call").pop().unwrap();
        assert_eq!(call.header("mcp-param-region"), header);
    }
}

pub(super) async fn stale_schema_is_refreshed(pairing: Pairing) {
    let server = pairing.server().capabilities(r#"{"tools":{}}"#);
    let server = server.tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    server.set_tools([PARAM_HEADER_TOOL]);
    let response = client.call("t", json!({"r": "eu"})).await;
    assert_eq!(text_of(&response), r#"t {"r":"eu"}"#);
    let calls = server.requests_of("tools/call");
    let headers: Vec<_> = calls.iter().map(|c| c.header("mcp-param-region")).collect();
    assert_eq!(headers, [None, Some("eu")]);
}

pub(super) async fn sessions_are_renewed_and_closed(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    server.expire_sessions();
    let response = client.call("t", json!({"n": 2})).await;
    assert_eq!(text_of(&response), r#"t {"n":2}"#);
    assert_eq!(server.calls().len(), 2);
    let sessions = sessions_of(&server);
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[1].header("mcp-session-id"), None);
    assert!(client.close().await.success());
    let requests = server.raw.requests();
    let closed = requests.iter().filter(|request| request.method == "DELETE");
    let closed: Vec<_> = closed.map(|r| r.header("mcp-session-id")).collect();
    // The lost session may be closed too.
    assert_eq!(closed.last(), Some(&Some("session-2")));
}

pub(super) async fn session_ids_are_ignored(pairing: Pairing) {
    let server = pairing.server().tool("t").intercept(|request| {
        let call = request.is("tools/call");
        let answer = || {
            Reply::json(testkit::json::answer(
                request,
                &json!({"content": [], "resultType": "complete"}),
            ))
        };
        call.then(|| answer().header("mcp-session-id", "session-1"))
    });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    client.call("t", json!({})).await;
    assert!(client.close().await.success());
    let requests = server.raw.requests();
    assert!(
        requests
            .iter()
            .all(|r| r.header("mcp-session-id").is_none())
    );
    assert!(requests.iter().all(|request| request.method == "POST"));
}

/// A server with resource subscriptions and a log level.
pub(super) async fn stateful_server(pairing: Pairing) -> Upstream {
    let server = pairing.server().capabilities(EVERYTHING).tool("t");
    let server = server
        .offers("resources", [r#"{"uri":"x://1","name":"x"}"#])
        .result("resources/subscribe", "{}")
        .result("logging/setLevel", "{}");
    server.start().await
}

pub(super) async fn session_state_is_restored(pairing: Pairing) {
    let server = stateful_server(pairing).await;
    let mut client = pairing.client(&server).await;
    client.wait_for_tools(&["t"]).await;
    let level = json!({"level": "warning"});
    client.request("logging/setLevel", level.clone()).await;
    let uri = json!({"uri": "x://1"});
    let response = client.request("resources/subscribe", uri.clone()).await;
    assert!(response["result"].is_object(), "{response}");
    server.expire_sessions();
    client.call("t", json!({})).await;
    for (method, params) in [("logging/setLevel", level), ("resources/subscribe", uri)] {
        let again = |request: &Request| {
            request.is(method) && request.header("mcp-session-id") == Some("session-2")
        };
        let again = server.raw.wait_for(again).await;
        assert_eq!(again.json()["params"], params);
    }
}

pub(super) async fn subscriptions_are_restored(pairing: Pairing) {
    let server = stateful_server(pairing).await;
    let mut client = pairing.client(&server).await;
    client.wait_for_tools(&["t"]).await;
    client
        .listen(json!({"resourceSubscriptions": ["x://1"]}))
        .await;
    server.wait_for_request("resources/subscribe").await;
    server.expire_sessions();
    client.call("t", json!({})).await;
    let again = |request: &Request| {
        request.is("resources/subscribe") && request.header("mcp-session-id") == Some("session-2")
    };
    server.raw.wait_for(again).await;
}
