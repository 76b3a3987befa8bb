//! A connection that was lost and made again has the same subscriptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;

use crate::subscriptions::{
    TOOLS, UPDATED, expected, listen, listens, modern, of, serving, subscribes, update, updates,
};
use testkit::proxy::Client;
use testkit::raw::Reply;
use testkit::upstream::{self, Kind, Upstream};

testkit::per_kind! {
    lost_stream_or_session_is_restored_with_its_subscriptions
    a_server_that_was_away_is_asked_again
}

/// A client that is subscribed to `x://1` by a listen, and to `x://2` by its session.
async fn subscribed(server: &Upstream) -> Client {
    let mut client = modern(server).await;
    client.initialize().await;
    listen(&mut client, r#""a""#, &of(&["x://1"])).await;
    let params = json!({"uri": "x://2"});
    let done = client.request("resources/subscribe", params).await;
    assert_eq!(done["result"], json!({}));
    client
}

/// Waits until the server was asked for both once more.
async fn asked_again(kind: Kind, server: &Upstream) {
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

async fn hears_both(kind: Kind, server: &Upstream, client: &mut Client) {
    update(server, "x://1").await;
    client.notification(UPDATED).await;
    update(server, "x://2").await;
    client.notification(UPDATED).await;
    let notification = expected([("x://1", json!("a")), ("x://2", json!(null))]);
    assert_eq!(updates(client), notification, "{kind}");
}

/// How often the server has listed its tools, but for its first session.
fn listings(server: &Upstream) -> usize {
    let requests = server.raw.requests().into_iter();
    requests
        .filter(|request| request.is("tools/list"))
        .filter(|request| request.header("mcp-session-id") != Some("session-1"))
        .count()
}

async fn lost_stream_or_session_is_restored_with_its_subscriptions(kind: Kind) {
    let server = serving(kind.server(), "x://0").tool("search").start().await;
    let mut client = subscribed(&server).await;
    client.tool_names().await;
    let listed = listings(&server);
    // What changes meanwhile is found afterwards.
    server.set_tools([upstream::tool("find").as_str()]);
    server.expire_sessions();
    asked_again(kind, &server).await;
    client.notification(TOOLS).await;
    hears_both(kind, &server, &mut client).await;
    assert_eq!(listings(&server), listed + 1);
}

async fn a_server_that_was_away_is_asked_again(kind: Kind) {
    let mut server = serving(kind.server(), "x://0").start().await;
    let mut client = subscribed(&server).await;
    server.expire_sessions();
    server.raw.stop().await;
    server.restart();
    // Its log begins anew.
    match kind {
        Kind::Modern => drop(server.raw.wait_for(listens(&["x://1", "x://2"])).await),
        _ => {
            server.raw.wait_for(subscribes("x://1")).await;
            server.raw.wait_for(subscribes("x://2")).await;
        }
    }
    hears_both(kind, &server, &mut client).await;
}

/// Whether this is one of the requests that fail, of which there are still some.
fn fails(left: &AtomicUsize, is_one: bool) -> bool {
    let one_less = |left: usize| left.checked_sub(1);
    is_one && left.fetch_update(SeqCst, SeqCst, one_less).is_ok()
}

#[tokio::test]
async fn a_legacy_server_that_fails_for_now_is_asked_again() {
    let left = Arc::new(AtomicUsize::new(0));
    let counted = left.clone();
    let server = serving(upstream::legacy(), "x://0").intercept(move |request| {
        fails(&counted, subscribes("x://1")(request)).then(|| Reply::status(503))
    });
    let server = server.start().await;
    let mut client = subscribed(&server).await;
    left.store(1, SeqCst);
    server.expire_sessions();
    server.raw.wait_for_count(3, subscribes("x://1")).await;
    server.raw.wait_for_count(2, subscribes("x://2")).await;
    hears_both(Kind::Legacy, &server, &mut client).await;
}

#[tokio::test]
async fn a_modern_server_that_fails_for_now_is_asked_again() {
    let left = Arc::new(AtomicUsize::new(1));
    let counted = left.clone();
    let server = serving(upstream::modern(), "x://0").intercept(move |request| {
        let error = r#""error":{"code":-32603,"message":"not now"}"#;
        let fails = fails(&counted, request.is("subscriptions/listen"));
        let id = String::from_utf8(request.id_bytes()?).unwrap();
        fails.then(|| Reply::json(format!(r#"{{"jsonrpc":"2.0","id":{id},{error}}}"#)))
    });
    let server = server.start().await;
    let mut client = modern(&server).await;
    client.tool_names().await;
    // For its lists, and, beside that, for a resource.
    server.raw.wait_for_count(2, listens(&[])).await;
    left.store(1, SeqCst);
    let acknowledged = listen(&mut client, "1000", &of(&["x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    server.raw.wait_for_count(2, listens(&["x://1"])).await;
}
