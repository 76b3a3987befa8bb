//! Redirects are followed only within the origin, and only if method and body stay.
//! Headers configured for one origin never reach another.

use serde_json::{Value, json};

use testkit::json::text_of;
use testkit::raw::{self, Reply};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    [legacy modern]
    redirect_within_the_origin_keeps_method_and_body
    call_redirected_to_another_origin_fails_and_has_not_run
}

/// Configured headers with secrets.
fn secrets() -> Value {
    json!({"headers": {"Authorization": "Bearer t-1", "X-Api-Key": "k-1"}})
}

async fn redirect_within_the_origin_keeps_method_and_body(kind: Kind) {
    for status in [307, 308] {
        let server = kind.server().tool("search").intercept(move |request| {
            let moved = || Reply::status(status).header("location", "/mcp");
            (request.path == "/old").then(moved)
        });
        let server = server.start().await;
        let url = server.raw.url_of("/old");
        let proxy = proxy::new().upstream("a", url.as_str());
        let mut client = proxy.extra("a", secrets()).start().await;

        assert_eq!(client.tool_names().await, ["search"], "{status}");
        let response = client.call("search", json!({"q": 1})).await;
        assert_eq!(text_of(&response), r#"search {"q":1}"#);
        let requests = server.raw.requests();
        assert_eq!(requests[0].path, "/old");
        assert_eq!(requests[1].path, "/mcp");
        assert_eq!(requests[0].method, requests[1].method);
        assert_eq!(requests[0].body, requests[1].body);
        let header = requests[1].header("authorization");
        assert_eq!(header, Some("Bearer t-1"));
    }
}

#[tokio::test]
async fn redirect_that_changes_the_method_is_not_followed() {
    for status in [300, 301, 302, 303] {
        let server = upstream::modern().tool("search").intercept(move |request| {
            let moved = || Reply::status(status).header("location", "/mcp");
            (request.path == "/old").then(moved)
        });
        let server = server.start().await;
        let url = server.raw.url_of("/old");
        let mut client = proxy::new().upstream("a", url.as_str()).start().await;

        assert_eq!(client.tool_names().await, [""; 0], "{status}");
        client.wait_for_stderr(&status.to_string()).await;
        let requests = server.raw.requests();
        assert!(requests.iter().all(|request| request.path == "/old"));
    }
}

#[tokio::test]
async fn redirect_to_another_origin_is_logged_and_not_followed() {
    let other = raw::server(|_| async { Reply::status(200) });
    let port = other.address().port();
    for status in [301, 302, 303, 307, 308] {
        for to in [other.url_of("/mcp"), format!("//localhost:{port}/mcp")] {
            let location = to.clone();
            let server = raw::server(move |_| {
                std::future::ready(Reply::status(status).header("location", &location))
            });
            let mut proxy = proxy::new().upstream("a", &server).extra("a", secrets());
            for transport in ["http-first", "http", "sse"] {
                proxy = proxy
                    .upstream(transport, &server)
                    .extra(transport, secrets())
                    .extra(transport, json!({"transport": transport}));
            }
            let mut client = proxy.start().await;

            assert_eq!(client.tool_names().await, [""; 0], "{status} {to}");
            client.wait_for_stderr(&format!(":{port}")).await;
        }
    }
    assert_eq!(other.connections(), 0);
}

async fn call_redirected_to_another_origin_fails_and_has_not_run(kind: Kind) {
    let other = raw::server(|_| async { Reply::status(200) });
    let port = other.address().port();
    let to = other.url_of("/mcp");
    let server = kind.server().tool("search").intercept(move |request| {
        let moved = || Reply::status(307).header("location", &to);
        request.is("tools/call").then(moved)
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", secrets()).start().await;
    let response = client.call("search", json!({})).await;

    let error = &response["error"];
    let text = error["message"].as_str().unwrap();
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(text.contains("redirect"), "{text}");
    assert_eq!(error["data"]["outcome"], "not run");
    assert!(!client.stderr().contains("t-1"), "{}", client.stderr());
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn redirect_loop_ends() {
    let server = raw::server(|_| async { Reply::status(307).header("location", "/mcp") });
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, [""; 0]);
    client.wait_for_stderr("redirect").await;
    assert!(server.requests().len() <= 8, "{}", server.requests().len());
}
