//! Calls to a disconnected upstream wait for the reconnect and run once.

use std::time::Instant;

use serde_json::json;

use crate::reconnect::{counting_server, run_count, send_calls, take_results};
use testkit::raw::Request;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    calls_during_a_restart_run_once_after_the_reconnect
}

// Only these kinds have sessions.
testkit::per_kind! {
    [legacy http_sse]
    hundred_calls_of_a_lost_session_run_once_in_one_new_session
}

async fn calls_during_a_restart_run_once_after_the_reconnect(kind: Kind) {
    let (builder, count) = counting_server(kind.server());
    let mut server = builder.start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    server.raw.stop().await;
    // A pooled connection may fail only on use. The loss of the event stream closes all connections.
    client.wait_for_stderr("not connected").await;
    let ids = send_calls(&mut client, 100).await;
    client.request("ping", json!({})).await;
    server.restart();
    take_results(&mut client, ids).await;
    assert_eq!(run_count(&count), 101);
}

#[tokio::test]
async fn calls_finding_a_dead_server_reconnect_and_run_once() {
    let builder = upstream::legacy().without_server_stream();
    let (builder, count) = counting_server(builder);
    let mut server = builder.start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    server.raw.stop().await;
    // After the ping the proxy has noticed that its connections are closed.
    client.request("ping", json!({})).await;
    let ids = send_calls(&mut client, 20).await;
    client.wait_for_stderr("connection lost").await;
    server.restart();
    take_results(&mut client, ids).await;
    assert_eq!(run_count(&count), 21);
    // The proxy also ends the previous session.
    let ended = |request: &Request| request.method == "DELETE";
    server.raw.wait_for(ended).await;
    assert_eq!(server.requests_of("initialize").len(), 1);
}

async fn hundred_calls_of_a_lost_session_run_once_in_one_new_session(kind: Kind) {
    let (builder, count) = counting_server(kind.server());
    let server = builder.start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    let before = server.requests_of("initialize").len();
    server.expire_sessions();
    let ids = send_calls(&mut client, 100).await;
    take_results(&mut client, ids).await;
    assert_eq!(run_count(&count), 101);
    assert_eq!(server.requests_of("initialize").len(), before + 1);
}

#[tokio::test]
async fn call_waits_for_a_reconnect_no_longer_than_its_timeout() {
    let (builder, count) = counting_server(upstream::modern());
    let server = builder.start().await;
    let proxy = proxy::new().upstream("shop", &server);
    let proxy = proxy.extra("shop", json!({"timeout": "700ms"}));
    let mut client = proxy.env("PROXY_CONNECT_WAIT", "20s").start().await;
    client.initialize().await;
    client.call("work", json!({})).await;
    server.raw.stop().await;
    client.wait_for_stderr("not connected").await;
    let begun = Instant::now();
    let answer = client.call("work", json!({})).await;
    assert!(begun.elapsed().as_secs() < 20, "{answer}");
    let error = &answer["error"];
    assert_eq!(error["code"], -31001, "{answer}");
    assert_eq!(error["data"]["outcome"], "not run", "{answer}");
    assert!(error["data"]["retryAfterSeconds"].is_u64(), "{answer}");
    let text = error["message"].as_str().unwrap();
    for part in ["`shop`", "cannot connect", "next attempt in"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(run_count(&count), 1);
}
