//! Keep-alive, loss and reopening of event streams.

use std::time::Duration;

use serde_json::json;

use crate::network::failure;
use testkit::raw::{Reply, Request};
use testkit::{proxy, upstream};

fn ping(request: &Request) -> bool {
    request.is("ping")
}

fn stream(request: &Request) -> bool {
    request.method == "GET"
}

#[tokio::test]
async fn silent_http_sse_stream_is_pinged_and_kept_while_alive() {
    let server = upstream::http_sse().tool("t").result("ping", "{}");
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.env("PROXY_KEEP_ALIVE", "1s").start().await;
    client.initialize().await;
    server.raw.wait_for_count(2, ping).await;
    let answer = client.call("t", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    let opened = server.raw.requests().into_iter().filter(stream).count();
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn pings_do_not_extend_the_timeout_of_a_call() {
    let hang = |request: &Request| request.is("tools/call").then(|| Reply::status(202));
    let server = upstream::http_sse()
        .tool("t")
        .result("ping", "{}")
        .intercept(hang);
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let proxy = proxy.extra("a", json!({"timeout": "2s"}));
    let mut client = proxy.env("PROXY_KEEP_ALIVE", "600ms").start().await;
    client.initialize().await;
    let failed = client.call("t", json!({})).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31003, "unknown"), "{text}");
    assert!(server.raw.requests().iter().any(ping));
}

#[tokio::test]
async fn http_sse_stream_silent_after_a_ping_is_reopened() {
    // As if a middlebox had dropped the stream: POST requests still arrive.
    let dead = |request: &Request| {
        (request.is("ping") || request.is("tools/call")).then(|| Reply::status(202))
    };
    let server = upstream::http_sse().tool("t").intercept(dead).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.env("PROXY_KEEP_ALIVE", "700ms").start().await;
    client.initialize().await;
    let failed = client.call("t", json!({})).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31004, "unknown"), "{text}");
    server.raw.wait_for_count(2, stream).await;
    client.wait_for_stderr("of a ping").await;
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn stream_is_not_pinged_while_active_or_with_pings_off() {
    let server = upstream::http_sse().tool("t").start().await;
    let off = proxy::new()
        .upstream("a", &server)
        .env("PROXY_KEEP_ALIVE", "off");
    let mut off = off.start().await;
    off.initialize().await;
    let active = upstream::http_sse().tool("t").start().await;
    let proxy = proxy::new().upstream("a", &active);
    let mut client = proxy.env("PROXY_KEEP_ALIVE", "3s").start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["t"]);
    for _ in 0..16 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        active
            .notify("notifications/message", r#"{"level":"debug","data":1}"#)
            .await;
    }
    assert!(!active.raw.requests().iter().any(ping));
    assert!(off.call("t", json!({})).await["result"].is_object());
    assert!(!server.raw.requests().iter().any(ping));
}

#[tokio::test]
async fn changes_missed_by_a_broken_stream_are_listed_after_reopening() {
    let server = upstream::legacy().tool("one").start().await;
    let mut client = proxy::before(&server).await;
    client.wait_for_tools(&["one"]).await;
    server.raw.wait_for(stream).await;
    let listings = server.requests_of("tools/list").len();
    server.end_streams();
    server.raw.wait_for_count(2, stream).await;
    let more = server
        .raw
        .wait_for_count(listings + 1, |it| it.is("tools/list"))
        .await;
    assert_eq!(more.len(), listings + 1);
    // The listing follows the reopening: changes in between would be missed.
    let requests = server.raw.requests();
    let last = |matches: &dyn Fn(&&Request) -> bool| {
        let mut found = requests.iter().enumerate().filter(|(_, it)| matches(it));
        found.next_back().unwrap().0
    };
    assert!(last(&|it| stream(it)) < last(&|it| it.is("tools/list")));
}

#[tokio::test]
async fn stream_that_cannot_be_resumed_is_opened_from_the_start() {
    let unknown = |request: &Request| {
        let id = request.header("last-event-id")?;
        Some(Reply::status(400).body(format!("no event {id}")))
    };
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = upstream::legacy().tool("one").intercept(move |request| {
        if let Some(refusal) = unknown(request) {
            return Some(refusal);
        }
        let is_first = stream(request) && first.swap(false, std::sync::atomic::Ordering::Relaxed);
        is_first.then(|| Reply::sse(["id: 7\nretry: 5\ndata:\n\n"]))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.wait_for_tools(&["one"]).await;
    server.raw.wait_for_count(3, stream).await;
    server.set_tools([upstream::tool("two").as_str()]);
    server.list_changed().await;
    client.wait_for_tools(&["two"]).await;
}
