//! `transport` in the configuration selects the transports and their order.

use serde_json::json;

use crate::eras::methods_of;
use testkit::json::text_of;
use testkit::raw::Reply;
use testkit::{Endpoint, proxy, upstream};

#[tokio::test]
async fn rejected_post_falls_back_to_http_sse_with_http_first() {
    for status in [400, 404, 405] {
        let server = upstream::http_sse().tool("search");
        let server = server.intercept(move |request| {
            let posted = request.method == "POST" && request.path == "/sse";
            posted.then(|| Reply::status(status))
        });
        let server = server.start().await;
        let proxy = proxy::new().upstream("a", &server);
        let first = json!({"transport": "http-first"});
        let mut client = proxy.extra("a", first).start().await;

        assert_eq!(client.tool_names().await, ["search"], "{status}");
        let response = client.call("search", json!({"q": 1})).await;
        assert_eq!(text_of(&response), r#"search {"q":1}"#);
        let requests = server.raw.requests();
        let expected = ["POST server/discover", "POST initialize", "GET"];
        assert_eq!(methods_of(&requests)[..3], expected, "{status}");
        let accepted = requests[2].header("accept").unwrap();
        assert!(accepted.contains("text/event-stream"), "{accepted}");
    }
}

#[tokio::test]
async fn unconfigured_transport_means_http_first() {
    let server = upstream::http_sse().tool("search").start().await;
    let url = server.url();
    let mut client = proxy::new().upstream("a", url.as_str()).start().await;

    assert_eq!(client.tool_names().await, ["search"]);
    assert_eq!(
        methods_of(&server.raw.requests())[..3],
        ["POST server/discover", "POST initialize", "GET"]
    );
}

#[tokio::test]
async fn http_never_falls_back_to_http_sse() {
    let server = upstream::http_sse().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let http = json!({"transport": "http"});
    let mut client = proxy.extra("a", http).start().await;

    assert_eq!(client.tool_names().await, [""; 0]);
    client.wait_for_stderr("405").await;
    let methods = methods_of(&server.raw.requests());
    assert_eq!(methods[..2], ["POST server/discover", "POST initialize"]);
    assert!(!methods.contains(&"GET".to_owned()), "{methods:?}");
}

#[tokio::test]
async fn streamable_http_error_does_not_fall_back_to_http_sse() {
    // A server that answers 500, or as a modern server, is not an HTTP+SSE server.
    for status in [401, 403, 500, 503] {
        let server = upstream::http_sse().tool("search");
        let server = server.intercept(move |request| {
            let posted = request.method == "POST" && request.path == "/sse";
            posted.then(|| Reply::status(status))
        });
        let server = server.start().await;
        let url = server.url();
        let client = proxy::new().upstream("a", url.as_str());
        let client = client.extra("a", json!({"oauth": false}));
        let mut client = client.start().await;

        assert_eq!(client.tool_names().await, [""; 0], "{status}");
        client.wait_for_stderr(&status.to_string()).await;
        let methods = methods_of(&server.raw.requests());
        assert!(
            !methods.contains(&"GET".to_owned()),
            "{status}: {methods:?}"
        );
    }
}

#[tokio::test]
async fn sse_opens_the_stream_at_once_and_posts_only_to_its_endpoint() {
    let server = upstream::http_sse().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let sse = json!({"transport": "sse"});
    let mut client = proxy.extra("a", sse).start().await;

    assert_eq!(client.tool_names().await, ["search"]);
    client.call("search", json!({})).await;
    let requests = server.raw.requests();
    let begun = &methods_of(&requests)[..3];
    assert_eq!(
        begun,
        ["GET", "POST initialize", "POST notifications/initialized"]
    );
    assert_eq!(requests[0].path, "/sse");
    for request in &requests[1..] {
        assert!(request.path.starts_with("/message?"), "{}", request.path);
    }
}

#[tokio::test]
async fn sse_never_posts_to_a_streamable_http_server() {
    let server = upstream::legacy().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let sse = json!({"transport": "sse"});
    let mut client = proxy.extra("a", sse).start().await;

    assert_eq!(client.tool_names().await, [""; 0]);
    let methods = methods_of(&server.raw.requests());
    assert!(methods.iter().all(|method| method == "GET"), "{methods:?}");
}

#[tokio::test]
async fn sse_first_tries_the_stream_and_then_post() {
    let first = json!({"transport": "sse-first"});
    let server = upstream::http_sse().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", first.clone()).start().await;
    assert_eq!(client.tool_names().await, ["search"]);
    let begun = &methods_of(&server.raw.requests())[..2];
    assert_eq!(begun, ["GET", "POST initialize"]);

    for (server, second) in [
        (upstream::legacy(), "POST server/discover"),
        (upstream::modern(), "POST server/discover"),
    ] {
        let server = server.tool("search").start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = proxy.extra("a", first.clone()).start().await;
        assert_eq!(client.tool_names().await, ["search"]);
        let begun = &methods_of(&server.raw.requests())[..2];
        assert_eq!(begun, ["GET", second]);
    }
}

#[tokio::test]
async fn http_only_and_sse_only_are_aliases_of_http_and_sse() {
    let server = upstream::http_sse().tool("search").start().await;
    let proxy = proxy::new()
        .upstream("a", &server)
        .upstream("b", &server)
        .extra("a", json!({"transport": "http-only"}))
        .extra("b", json!({"transport": "sse-only"}));
    let mut client = proxy.start().await;
    assert_eq!(client.tool_names().await, ["search"]);
    client.wait_for_stderr("405").await;
    let methods = methods_of(&server.raw.requests());
    assert_eq!(methods.iter().filter(|method| *method == "GET").count(), 1);
    let probes = methods.iter().filter(|method| method.ends_with("discover"));
    assert_eq!(probes.count(), 1);
}
