//! Responses that are too slow, and responses that are slow but acceptable.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::network::failure;
use testkit::json::answer;
use testkit::proxy;
use testkit::raw::{Reply, Request, event};
use testkit::upstream::Kind;

testkit::per_kind! {
    [legacy modern]
    response_below_minimum_throughput_times_out
}

/// The `timeout` of the upstreams, and the pause between two parts of a body.
const TIMEOUT: &str = "1s";
const PAUSE: Duration = Duration::from_millis(150);

/// Returns a body that repeats `part` after each pause, then sends `end`. Without `end` it stays open.
fn slow_body(part: Bytes, times: usize, end: Option<Vec<u8>>) -> Reply {
    let (sender, chunks) = mpsc::channel(1);
    tokio::spawn(async move {
        for _ in 0..times {
            if sender.send(part.clone()).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        match end {
            Some(end) => drop(sender.send(end.into()).await),
            None => sender.closed().await,
        }
    });
    Reply::stream(chunks)
}

fn slow_reply(request: &Request) -> Option<Reply> {
    if !request.is("tools/call") {
        return None;
    }
    let result = json!({"content": [], "resultType": "complete"});
    let whole = event(answer(request, &result));
    let json = |reply: Reply| reply.header("content-type", "application/json");
    let kib = Bytes::from(vec![b' '; 1024]);
    Some(match request.tool().as_str() {
        "drip" => json(slow_body(" ".into(), 100, None)),
        "drip_event" => slow_body("data:\n".into(), 100, None),
        "drip_comments" => {
            let mut first = b"data: {\n".to_vec();
            first.extend(b": still there\n");
            slow_body(first.into(), 100, None)
        }
        "half_event" => slow_body("data: {\n".into(), 1, None),
        "comments" => slow_body(": still there\n\n".into(), 12, Some(whole)),
        "slow" => json(slow_body(kib, 12, Some(answer(request, &result).into()))),
        _ => return None,
    })
}

async fn response_below_minimum_throughput_times_out(kind: Kind) {
    let tools = [
        "drip",
        "drip_event",
        "drip_comments",
        "half_event",
        "comments",
        "slow",
    ];
    let server = tools
        .iter()
        .fold(kind.server(), |server, name| server.tool(name));
    let server = server.intercept(slow_reply).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", json!({"timeout": TIMEOUT})).start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await.len(), tools.len());
    let mut calls = Vec::new();
    for name in tools {
        let call = client.send_request("tools/call", json!({"name": name}));
        calls.push((name, call.await));
    }
    for (name, call) in calls {
        let response = client.response(call).await;
        let message = match name {
            "comments" | "slow" => {
                assert!(response["result"].is_object(), "{name}: {response}");
                continue;
            }
            "half_event" => "no sign of life for 1 s; raise its `timeout`",
            _ => "less than 1024 bytes of its response in 1 s; raise its `timeout`",
        };
        let (code, outcome, text) = failure(&response);
        assert_eq!((code, outcome), (-31003, "unknown"), "{name}: {text}");
        assert!(text.contains(message), "{name}: {text}");
    }
}
