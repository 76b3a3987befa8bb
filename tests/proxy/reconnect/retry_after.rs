//! `Retry-After`: the proxy waits for the requested time and sends the call again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::reconnect::{counting_server, run_count};
use testkit::raw::{Reply, Request};
use testkit::upstream::{self, Builder, Kind};
use testkit::{Endpoint, proxy};

testkit::per_kind! {
    call_is_retried_after_retry_after_and_runs_once
}

/// Makes the server answer its first `times` calls with `busy`, without running them.
fn busy(
    builder: Builder,
    times: usize,
    busy: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Builder {
    let calls = Arc::new(AtomicUsize::new(0));
    builder.intercept(move |request| {
        let is_refused = request.is("tools/call") && calls.fetch_add(1, Ordering::SeqCst) < times;
        is_refused.then(|| busy(request))
    })
}

fn calls(requests: &[Request]) -> usize {
    requests.iter().filter(|it| it.is("tools/call")).count()
}

async fn call_is_retried_after_retry_after_and_runs_once(kind: Kind) {
    for status in [429, 503] {
        let (builder, count) = counting_server(kind.server());
        let later = move |_: &Request| Reply::status(status).header("retry-after", "1");
        let server = busy(builder, 1, later).start().await;
        let mut client = proxy::before(&server).await;
        let begun = Instant::now();
        let answer = client.call("work", json!({})).await;
        assert!(answer["result"].is_object(), "{status}: {answer}");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        assert_eq!(calls(&server.raw.requests()), 2);
        assert_eq!(run_count(&count), 1);
    }
}

#[tokio::test]
async fn date_in_retry_after_is_respected() {
    let (builder, count) = counting_server(upstream::modern());
    let server = busy(builder, 1, |_| {
        // HTTP dates have whole seconds, so the delay is up to one second less.
        let then = SystemTime::now() + Duration::from_secs(3);
        Reply::status(503).header("retry-after", &httpdate::fmt_http_date(then))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let begun = Instant::now();
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(run_count(&count), 1);
}

/// Starts a client of `server` with a `timeout` of 5 s.
async fn client_with_short_timeout(server: &impl Endpoint) -> proxy::Client {
    let proxy = proxy::new().upstream("a", server);
    let proxy = proxy.extra("a", json!({"timeout": "5s"}));
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

#[tokio::test]
async fn retry_after_beyond_the_timeout_fails_immediately() {
    let (builder, count) = counting_server(upstream::legacy());
    let later = |_: &Request| Reply::status(429).header("retry-after", "30");
    let server = busy(builder, 9, later).start().await;
    let mut client = client_with_short_timeout(&server).await;
    let answer = client.call("work", json!({})).await;
    let data = json!({
        "upstream": "a", "outcome": "not run", "httpStatus": 429, "retryAfterSeconds": 30,
    });
    assert_eq!(answer["error"]["data"], data, "{answer}");
    assert_eq!(calls(&server.raw.requests()), 1);
    assert_eq!(run_count(&count), 0);
}

#[tokio::test]
async fn json_rpc_error_of_a_busy_server_is_forwarded_at_the_deadline() {
    let (builder, count) = counting_server(upstream::modern());
    let later = |request: &Request| {
        let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
        let error = json!({"code": -32000, "message": "slow down", "data": {"quota": 1.50}});
        let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
        let reply = Reply::json(body.to_string()).with_status(429);
        reply.header("retry-after", "2")
    };
    let server = busy(builder, 9, later).start().await;
    let mut client = client_with_short_timeout(&server).await;
    let answer = client.call("work", json!({})).await;
    assert_eq!(answer["error"]["message"], "slow down", "{answer}");
    assert_eq!(answer["error"]["data"], json!({"quota": 1.50}), "{answer}");
    // At 0 s, 2 s and 4 s.
    let calls = calls(&server.raw.requests());
    assert!((2..=3).contains(&calls), "{calls}");
    assert_eq!(run_count(&count), 0);
}

#[tokio::test]
async fn call_cancelled_during_retry_after_is_not_sent_again() {
    let (builder, count) = counting_server(upstream::modern());
    let later = |_: &Request| Reply::status(503).header("retry-after", "1");
    let server = busy(builder, 2, later).start().await;
    let mut client = proxy::before(&server).await;
    let call = |number: u64| json!({"name": "work", "arguments": {"number": number}});
    let first = client.send_request("tools/call", call(1)).await;
    server.wait_for_request("tools/call").await;
    client.cancel(first).await;
    // The first call would be retried before the second.
    let second = client.send_request("tools/call", call(2)).await;
    let answer = client.response(second).await;
    assert!(answer["result"].is_object(), "{answer}");
    let requests = server.raw.requests();
    let is_first = |it: &&Request| it.is("tools/call") && it.text().contains("\"number\":1");
    assert_eq!(requests.iter().filter(is_first).count(), 1);
    assert_eq!(run_count(&count), 1);
}
