//! Calls that last longer than `timeout`, with progress.

use std::time::Duration;

use serde_json::json;

use crate::network::failure;
use testkit::upstream::{Call, ServerStream};
use testkit::{proxy, upstream};

/// Several reports fit into the `timeout`, and several timeouts into the call.
const PAUSE: Duration = Duration::from_millis(250);
const REPORTS: u64 = 12;
const TIMEOUT: &str = "1s";

async fn report(call: &Call, stream: &ServerStream) {
    let token = call.request.json()["params"]["_meta"]["progressToken"].take();
    for progress in 1..=REPORTS {
        let params = json!({"progressToken": token, "progress": progress});
        let method = "notifications/progress";
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        stream.send(message.to_string()).await;
        tokio::time::sleep(PAUSE).await;
    }
}

fn done() -> Vec<u8> {
    br#"{"content":[],"resultType":"complete"}"#.to_vec()
}

/// Sends progress on the stream of the call.
fn progress_on_call_stream(kind: upstream::Builder) -> upstream::Builder {
    let kind = kind.tool("slow").sse_replies();
    kind.on_call(|call| async move {
        let stream = call.stream();
        report(&call, &stream).await;
        done()
    })
}

/// Sends progress on the server's event stream, then answers the call with JSON.
fn progress_on_event_stream() -> upstream::Builder {
    let kind = upstream::legacy().tool("slow");
    kind.on_call(|call| async move {
        let stream = call.event_stream().await;
        report(&call, &stream).await;
        done()
    })
}

#[tokio::test]
async fn call_lasts_while_progress_arrives_on_any_stream() {
    let kinds = [
        ("modern", progress_on_call_stream(upstream::modern())),
        ("legacy", progress_on_call_stream(upstream::legacy())),
        ("http_sse", progress_on_call_stream(upstream::http_sse())),
        ("event stream", progress_on_event_stream()),
    ];
    let mut all = Vec::new();
    for (name, kind) in kinds {
        // The proxy handles calls differently if the client supports server requests.
        let server = kind.start().await;
        for capabilities in [json!({}), json!({"elicitation": {}, "sampling": {}})] {
            let proxy = proxy::new().upstream("a", &server);
            let proxy = proxy.extra("a", json!({"timeout": TIMEOUT}));
            let mut client = proxy.start().await;
            client.initialize_with(capabilities.clone()).await;
            assert_eq!(client.tool_names().await, ["slow"]);
            let call = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": "p"}});
            let id = client.send_request("tools/call", call).await;
            all.push((name, capabilities, client, id));
        }
        // Every server has to run until the last call ends.
        std::mem::forget(server);
    }
    for (name, capabilities, mut client, id) in all {
        let answer = client.response(id).await;
        assert!(
            answer["result"].is_object(),
            "{name} {capabilities}: {answer}"
        );
        for progress in 1..=REPORTS {
            let notification = client.notification("notifications/progress").await;
            assert_eq!(
                notification["params"]["progress"], progress,
                "{name}: {notification}"
            );
        }
    }
}

#[tokio::test]
async fn call_times_out_after_its_progress_stops() {
    let kind = upstream::legacy().tool("slow");
    let server = kind.on_call(|call| async move {
        let stream = call.event_stream().await;
        report(&call, &stream).await;
        call.cancelled().await;
        done()
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", json!({"timeout": TIMEOUT})).start().await;
    client.initialize().await;
    let call = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": 7}});
    let id = client.send_request("tools/call", call).await;
    let failed = client.response(id).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31003, "unknown"), "{text}");
    assert!(text.contains("no sign of life for 1 s"), "{text}");
}
