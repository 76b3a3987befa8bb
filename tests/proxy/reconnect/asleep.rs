//! A process that has slept looks after its connections before somebody needs them.

use std::time::Duration;

use serde_json::json;

use testkit::json::bytes_of;
use testkit::proxy::call_line;
use testkit::raw::Reply;
use testkit::{proxy, upstream};

#[tokio::test]
async fn after_sleep_lost_upstreams_are_tried_and_others_checked() {
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

/// An answer that nobody waits for, but for its last brace. It takes the proxy a second or so to read, in
/// which it does nothing else.
fn long_answer() -> String {
    let members = "[],".repeat(8 << 20);
    format!(r#"{{"jsonrpc":"2.0","id":"none","result":[{members}[]]"#)
}

/// Makes a call that the proxy reads as the first thing after sleep, and says that it is served though what
/// was connected is dead; `false` when the proxy was faster than its sleep, and nothing is said.
async fn is_served_right_after_sleep() -> bool {
    let server = upstream::modern().tool("work").start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    server.asked("subscriptions/listen").await;
    client.send_bytes(long_answer().as_bytes()).await;
    // The line comes with the end of that, and is taken next: no clock ticks in between.
    let call = call_line("9", r#"{"name":"work"}"#);
    client.send_line(format!("}}\n{call}")).await;
    client.signal("STOP").await;
    // No wait for something else: this is how long it sleeps.
    tokio::time::sleep(Duration::from_secs(7)).await;
    if server.calls().len() > 1 {
        return false;
    }
    server.raw.forget_connections();
    client.signal("CONT").await;
    let answer = client.answer_to("9").await;
    bytes_of(&answer, &["result"]);
    assert_eq!(server.calls().len(), 2);
    true
}

#[tokio::test]
async fn line_read_before_the_clocks_after_sleep_gets_new_connection() {
    for _ in 0..3 {
        if is_served_right_after_sleep().await {
            return;
        }
    }
    panic!("it is never stopped in time");
}
