//! A process that has slept looks after its connections before somebody needs them.

use std::time::Duration;

use serde_json::json;

use crate::support::raw::Reply;
use crate::support::{proxy, upstream};

#[tokio::test]
async fn after_sleep_what_is_away_is_tried_and_what_is_connected_checked() {
    let lost = upstream::legacy().tool("lost").without_server_stream();
    let lost = lost.start().await;
    let kept = upstream::modern().tool("kept").start().await;
    let away = upstream::legacy().intercept(|_| Some(Reply::status(401)));
    let away = away.start().await;
    let proxy = proxy::new().upstream("lost", &lost).upstream("kept", &kept);
    let proxy = proxy.upstream("away", &away);
    let mut client = proxy.extra("away", json!({"oauth": false})).start().await;
    client.initialize().await;
    for name in ["lost", "kept"] {
        assert!(client.call(name, json!({})).await["result"].is_object());
    }
    kept.asked("subscriptions/listen").await;
    client.wait_for_stderr("name=away").await;
    let attempts = away.asks("server/discover").len();
    client.signal("STOP").await;
    lost.expire_sessions();
    // No wait for something else: this is how long it sleeps.
    tokio::time::sleep(Duration::from_secs(7)).await;
    client.signal("CONT").await;
    // None of this is for a call.
    away.raw
        .wait_for_count(attempts + 1, |it| it.is("server/discover"))
        .await;
    lost.raw.wait_for_count(2, |it| it.is("initialize")).await;
    kept.raw
        .wait_for_count(2, |it| it.is("subscriptions/listen"))
        .await;
    for name in ["lost", "kept"] {
        assert!(client.call(name, json!({})).await["result"].is_object());
    }
    assert_eq!(lost.asks("initialize").len(), 2);
}
