//! Backoff and retry budget: an unavailable server receives few attempts, however many calls need it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::reconnect::{counting_server, run_count, send_calls, take_results};
use testkit::raw::{self, Reply, Request};
use testkit::{proxy, upstream};

fn is_attempt(request: &Request) -> bool {
    request.is("server/discover")
}

#[tokio::test]
async fn concurrent_calls_do_not_speed_up_attempts_and_run_once() {
    let (builder, count) = counting_server(upstream::modern());
    let mut server = builder.start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    server.raw.stop().await;
    client.wait_for_stderr("not connected").await;
    let dead = raw::server_at(server.raw.address(), |_| async { Reply::reset() });
    let (begun, mut ids) = (Instant::now(), Vec::new());
    for attempts in 1..=2 {
        ids.extend(send_calls(&mut client, 50).await);
        let seen = dead.wait_for_count(attempts, is_attempt).await.len();
        assert!(seen <= attempts + 1, "{seen} instead of {attempts}");
    }
    // Twice 1 s, each at most a fifth less. The clock starts a little after the first attempt.
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(1200), "{elapsed:?}");
    dead.stop().await;
    server.restart();
    take_results(&mut client, ids).await;
    assert_eq!(run_count(&count), 1 + 2 * 50);
}

#[tokio::test]
async fn signed_out_server_receives_at_most_twelve_attempts() {
    let is_signed_out = Arc::new(AtomicBool::new(false));
    let out = is_signed_out.clone();
    let server = upstream::legacy()
        .tool("work")
        .without_server_stream()
        .intercept(move |request| {
            let is_signed_out = out.load(Ordering::SeqCst);
            is_signed_out.then(|| match request.is("tools/call") {
                // The session is lost, and no new one can be opened.
                true => Reply::status(404),
                false => Reply::status(401).header("www-authenticate", "Bearer"),
            })
        });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let proxy = proxy.extra("a", json!({"oauth": false}));
    let mut client = proxy.start().await;
    client.initialize().await;
    client.call("work", json!({})).await;
    let before = server.requests_of("server/discover").len();
    is_signed_out.store(true, Ordering::SeqCst);
    for _ in 0..40 {
        let answer = client.call("work", json!({})).await;
        assert_eq!(answer["error"]["code"], -31002, "{answer}");
    }
    let attempts = server.requests_of("server/discover").len() - before;
    assert_eq!(attempts, 12);
}

#[tokio::test]
async fn server_dropping_connections_is_not_reconnected_in_a_loop() {
    let server = upstream::http_sse().tool("work").start().await;
    let begun = Instant::now();
    let mut client = proxy::before(&server).await;
    assert_eq!(client.tool_names().await, ["work"]);
    for listed in 1..=3 {
        server
            .raw
            .wait_for_count(listed, |it| it.is("tools/list"))
            .await;
        server.end_streams();
    }
    // 1 s and 3 s, each at most a fifth less.
    assert!(
        begun.elapsed() >= Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn retry_after_in_the_handshake_delays_the_next_attempt() {
    let is_busy = Arc::new(AtomicBool::new(true));
    let busy = is_busy.clone();
    let (builder, count) = counting_server(upstream::legacy());
    let server = builder.intercept(move |_| {
        let busy = busy.swap(false, Ordering::SeqCst);
        busy.then(|| Reply::status(503).header("retry-after", "3"))
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    server.wait_for_request("server/discover").await;
    let begun = Instant::now();
    server.raw.wait_for_count(2, |_| true).await;
    // The test measures the delay a little later than the proxy.
    assert!(
        begun.elapsed() >= Duration::from_millis(2500),
        "{:?}",
        begun.elapsed()
    );
    while !client.tool_names().await.contains(&"work".to_owned()) {
        client
            .notification("notifications/tools/list_changed")
            .await;
    }
    client.call("work", json!({})).await;
    assert_eq!(run_count(&count), 1);
}
