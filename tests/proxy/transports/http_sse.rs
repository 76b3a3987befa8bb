//! HTTP+SSE of 2024-11-05: the `endpoint` event, and the lifetime of the event stream.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use crate::transports::{count, text_result};
use testkit::json::{answer, text_of};
use testkit::raw::{self, Reply, Request, event};
use testkit::{proxy, upstream};

/// Returns the data of the `endpoint` event for the server's origin.
type Endpoint = fn(&str) -> String;

/// The latest event stream, unless it has ended.
type Stream = Arc<Mutex<Option<mpsc::Sender<Bytes>>>>;

/// Opens an event stream whose first event names `endpoint`.
fn open_stream(stream: &Stream, endpoint: &str) -> Reply {
    let (sender, receiver) = mpsc::channel(64);
    let named = format!("event: endpoint\ndata: {endpoint}\n\n");
    sender.try_send(named.into()).unwrap();
    *stream.lock().unwrap() = Some(sender);
    Reply::stream(receiver)
}

/// Responds to a request on the stream, as a server with one tool `t` that returns `ok`.
fn respond_on(stream: &Stream, request: &Request) {
    let result = match request.rpc_method().as_str() {
        "initialize" => json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "raw", "version": "1"},
        }),
        "tools/list" => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
        _ => text_result("ok"),
    };
    if request.id_bytes().is_some() {
        let stream = stream.lock().unwrap().clone().unwrap();
        let message = event(answer(request, &result));
        stream.try_send(message.into()).unwrap();
    }
}

/// A server whose stream names `endpoint`, and which accepts requests at `path` only.
fn server_with_endpoint(
    endpoint: impl Fn(&str) -> String + Send + Sync + 'static,
    path: &str,
) -> raw::Server {
    let stream = Stream::default();
    let path = path.to_owned();
    raw::server(move |request: Request| {
        let reply = match request.method.as_str() {
            "GET" => {
                let origin = format!("http://{}", request.header("host").unwrap());
                open_stream(&stream, &endpoint(&origin))
            }
            _ if request.path == path => {
                respond_on(&stream, &request);
                Reply::status(202)
            }
            _ => Reply::status(404),
        };
        async { reply }
    })
}

#[tokio::test]
async fn endpoint_is_resolved_against_the_stream_url() {
    let cases: [(Endpoint, &str); 5] = [
        (|_| "/message?session=1".to_owned(), "/message?session=1"),
        (|_| "message/1".to_owned(), "/v1/message/1"),
        (|_| "../up".to_owned(), "/up"),
        (|_| "?session=1".to_owned(), "/v1/sse?session=1"),
        (|origin| format!("{origin}/whole"), "/whole"),
    ];
    for (endpoint, path) in cases {
        let server = server_with_endpoint(endpoint, path);
        let url = server.url_of("/v1/sse");
        let proxy = proxy::new().upstream("a", url.as_str());
        let headers = json!({"transport": "sse", "headers": {"X-Api-Key": "k-1"}});
        let mut client = proxy.extra("a", headers).start().await;

        assert_eq!(client.tool_names().await, ["t"], "{path}");
        let response = client.call("t", json!({})).await;
        assert_eq!(text_of(&response), "ok");
        for request in server.requests() {
            assert_eq!(request.header("x-api-key"), Some("k-1"), "{request:?}");
            let expected = if request.method == "GET" {
                "/v1/sse"
            } else {
                path
            };
            assert_eq!(request.path, expected);
        }
    }
}

#[tokio::test]
async fn endpoint_of_another_origin_is_rejected_and_not_contacted() {
    let other = raw::server(|_| async { Reply::status(202) });
    let port = other.address().port();
    let cases = [
        other.url_of("/message"),
        format!("//127.0.0.1:{port}/message"),
        format!("http://localhost:{port}/message"),
        format!("https://127.0.0.1:{port}/message"),
        format!("http://user:secret@127.0.0.1:{port}/message"),
    ];
    for endpoint in cases {
        let named = endpoint.clone();
        let server = server_with_endpoint(move |_| named.clone(), "/message");
        let url = server.url_of("/sse");
        let proxy = proxy::new().upstream("a", url.as_str());
        let headers = json!({"transport": "sse", "headers": {"Authorization": "Bearer t-1"}});
        let mut client = proxy.extra("a", headers).start().await;

        assert_eq!(client.tool_names().await, [""; 0], "{endpoint}");
        client.wait_for_stderr(&format!(":{port}")).await;
        let requests = server.requests();
        assert!(requests.iter().all(|request| request.method == "GET"));
        assert!(!client.stderr().contains("secret"), "{}", client.stderr());
    }
    assert_eq!(other.requests().len(), 0);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn call_whose_post_outlives_the_stream_gets_an_error() {
    let stream = Stream::default();
    let opened_stream = Arc::new(Notify::new());
    let server = raw::server(move |request: Request| {
        let (stream, opened_stream) = (stream.clone(), opened_stream.clone());
        async move {
            if request.method == "GET" {
                let reply = open_stream(&stream, "/message");
                opened_stream.notify_one();
                return reply;
            }
            if request.is("tools/call") {
                opened_stream.notified().await;
                // The stream ends and the proxy opens another before the POST gets its response.
                stream.lock().unwrap().take();
                opened_stream.notified().await;
            } else {
                respond_on(&stream, &request);
            }
            Reply::status(202)
        }
    });
    let proxy = proxy::new().upstream("a", server.url_of("/sse").as_str());
    let mut client = proxy.extra("a", json!({"transport": "sse"})).start().await;
    assert_eq!(client.tool_names().await, ["t"]);
    let response = client.call("t", json!({})).await;
    assert_eq!(response["error"]["code"], -31004, "{response}");
    assert_eq!(response["error"]["data"]["outcome"], "unknown");
}

#[tokio::test]
async fn one_stream_carries_all_messages() {
    let server = upstream::http_sse().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    let mut ids = Vec::new();
    for n in 0..30 {
        let params = json!({"name": "search", "arguments": {"n": n}});
        ids.push(client.send_request("tools/call", params).await);
    }
    for (n, id) in ids.into_iter().enumerate().rev() {
        let response = client.response(id).await;
        assert_eq!(text_of(&response), format!(r#"search {{"n":{n}}}"#));
    }
    let params = r#"{"level":"info","data":"unasked"}"#;
    server.notify("notifications/message", params).await;
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "unasked");
    let requests = server.raw.requests();
    let gets = requests.iter().filter(|request| request.method == "GET");
    assert_eq!(gets.count(), 1);
}

#[tokio::test]
async fn event_of_several_mib_passes_whole() {
    let large = "0123456789abcdef".repeat(5 << 16);
    let text = large.clone();
    let server = upstream::http_sse()
        .tool("large")
        .reply_with(move |_| text_result(&text).to_string().into_bytes());
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("large", json!({})).await;
    assert!(text_of(&response) == large, "the event was changed");
}

#[tokio::test]
async fn ended_stream_is_reopened() {
    let server = upstream::http_sse().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    server.end_streams();
    let response = client.call("search", json!({"q": 1})).await;
    assert_eq!(text_of(&response), r#"search {"q":1}"#);
    assert_eq!(server.calls().len(), 1);
    let requests = server.raw.requests();
    assert_eq!(count(&requests, "initialize"), 2);
    let gets = requests.iter().filter(|request| request.method == "GET");
    assert_eq!(gets.count(), 2);
}

#[tokio::test]
async fn call_on_a_lost_stream_fails_and_is_not_resent() {
    let server = upstream::http_sse()
        .tool("slow")
        .on_call(|call| async move {
            call.cancelled().await;
            Vec::new()
        });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["slow"]).await;
    let id = client
        .send_request("tools/call", json!({"name": "slow", "arguments": {}}))
        .await;
    server.wait_for_calls(1).await;

    server.raw.stop().await;
    let response = client.response(id).await;
    assert_eq!(
        response["error"]["data"]["outcome"], "unknown",
        "{response}"
    );
    assert_eq!(server.calls().len(), 1);
}
