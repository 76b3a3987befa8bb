//! A reconnect restores the subscriptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;

use crate::subscriptions::{
    TOOLS, UPDATED, expected, listen, listens, modern_client, resource_filter,
    server_with_resource, subscribes, update, updates,
};
use testkit::proxy::Client;
use testkit::raw::Reply;
use testkit::upstream::{self, Kind, Upstream};

testkit::per_kind! {
    subscriptions_are_restored_after_a_lost_stream_or_session
    subscriptions_are_restored_at_a_restarted_server
}

/// Starts a client that subscribes to `x://1` by a listen and to `x://2` in its session.
async fn subscribed_client(server: &Upstream) -> Client {
    let mut client = modern_client(server).await;
    client.initialize().await;
    listen(&mut client, r#""a""#, &resource_filter(&["x://1"])).await;
    let params = json!({"uri": "x://2"});
    let response = client.request("resources/subscribe", params).await;
    assert_eq!(response["result"], json!({}));
    client
}

/// Waits until the server has received both subscriptions a second time.
async fn wait_for_resubscription(kind: Kind, server: &Upstream) {
    match kind {
        Kind::Modern => drop(
            server
                .raw
                .wait_for_count(2, listens(&["x://1", "x://2"]))
                .await,
        ),
        _ => {
            server.raw.wait_for_count(2, subscribes("x://1")).await;
            server.raw.wait_for_count(2, subscribes("x://2")).await;
        }
    }
}

async fn assert_both_updates(kind: Kind, server: &Upstream, client: &mut Client) {
    update(server, "x://1").await;
    client.notification(UPDATED).await;
    update(server, "x://2").await;
    client.notification(UPDATED).await;
    let notifications = expected([("x://1", json!("a")), ("x://2", json!(null))]);
    assert_eq!(updates(client), notifications, "{kind}");
}

/// The number of tool listings that the server has sent after its first session.
fn listings(server: &Upstream) -> usize {
    let requests = server.raw.requests().into_iter();
    requests
        .filter(|request| request.is("tools/list"))
        .filter(|request| request.header("mcp-session-id") != Some("session-1"))
        .count()
}

async fn subscriptions_are_restored_after_a_lost_stream_or_session(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://0")
        .tool("search")
        .start()
        .await;
    let mut client = subscribed_client(&server).await;
    client.tool_names().await;
    let listings_before = listings(&server);
    // The reconnect detects a change that no notification announced.
    server.set_tools([upstream::tool("find").as_str()]);
    server.expire_sessions();
    wait_for_resubscription(kind, &server).await;
    client.notification(TOOLS).await;
    assert_both_updates(kind, &server, &mut client).await;
    assert_eq!(listings(&server), listings_before + 1);
}

async fn subscriptions_are_restored_at_a_restarted_server(kind: Kind) {
    let mut server = server_with_resource(kind.server(), "x://0").start().await;
    let mut client = subscribed_client(&server).await;
    server.expire_sessions();
    server.raw.stop().await;
    server.restart();
    // The server's log is empty after the restart.
    match kind {
        Kind::Modern => drop(server.raw.wait_for(listens(&["x://1", "x://2"])).await),
        _ => {
            server.raw.wait_for(subscribes("x://1")).await;
            server.raw.wait_for(subscribes("x://2")).await;
        }
    }
    assert_both_updates(kind, &server, &mut client).await;
}

/// Returns `true` if a matching request has to fail, and counts it down from `failures_left`.
fn should_fail(failures_left: &AtomicUsize, is_match: bool) -> bool {
    let one_less = |failures_left: usize| failures_left.checked_sub(1);
    is_match && failures_left.fetch_update(SeqCst, SeqCst, one_less).is_ok()
}

#[tokio::test]
async fn failed_subscribe_request_is_retried() {
    let failures_left = Arc::new(AtomicUsize::new(0));
    let counted = failures_left.clone();
    let server = server_with_resource(upstream::legacy(), "x://0").intercept(move |request| {
        should_fail(&counted, subscribes("x://1")(request)).then(|| Reply::status(503))
    });
    let server = server.start().await;
    let mut client = subscribed_client(&server).await;
    failures_left.store(1, SeqCst);
    server.expire_sessions();
    server.raw.wait_for_count(3, subscribes("x://1")).await;
    server.raw.wait_for_count(2, subscribes("x://2")).await;
    assert_both_updates(Kind::Legacy, &server, &mut client).await;
}

#[tokio::test]
async fn failed_listen_at_a_modern_server_is_retried() {
    let failures_left = Arc::new(AtomicUsize::new(1));
    let counted = failures_left.clone();
    let server = server_with_resource(upstream::modern(), "x://0").intercept(move |request| {
        let error = r#""error":{"code":-32603,"message":"not now"}"#;
        let fails = should_fail(&counted, request.is("subscriptions/listen"));
        let id = String::from_utf8(request.id_bytes()?).unwrap();
        fails.then(|| Reply::json(format!(r#"{{"jsonrpc":"2.0","id":{id},{error}}}"#)))
    });
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    client.tool_names().await;
    // The failed listen for list changes has been retried. Now a listen for a resource fails.
    server.raw.wait_for_count(2, listens(&[])).await;
    failures_left.store(1, SeqCst);
    let acknowledged = listen(&mut client, "1000", &resource_filter(&["x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    server.raw.wait_for_count(2, listens(&["x://1"])).await;
}
