//! After a suspend, the proxy checks its connections before a call needs them.

use std::time::Duration;

use serde_json::json;

use testkit::json::bytes_of;
use testkit::proxy::call_line;
use testkit::raw::Reply;
use testkit::{proxy, upstream};

#[tokio::test]
async fn resume_reconnects_lost_upstreams_and_checks_the_others() {
    let lost = upstream::legacy().tool("lost").without_server_stream();
    let lost = lost.start().await;
    let kept = upstream::modern().tool("kept").start().await;
    let signed_out = upstream::legacy().intercept(|_| Some(Reply::status(401)));
    let signed_out = signed_out.start().await;
    let proxy = proxy::new().upstream("lost", &lost).upstream("kept", &kept);
    let proxy = proxy.upstream("signed-out", &signed_out);
    let mut client = proxy
        .extra("signed-out", json!({"oauth": false}))
        .start()
        .await;
    client.initialize().await;
    for name in ["lost", "kept"] {
        assert!(client.call(name, json!({})).await["result"].is_object());
    }
    kept.wait_for_request("subscriptions/listen").await;
    client.wait_for_stderr("name=signed-out").await;
    let attempts = signed_out.requests_of("server/discover").len();
    client.signal("STOP").await;
    lost.expire_sessions();
    // The duration of the suspend.
    tokio::time::sleep(Duration::from_secs(7)).await;
    client.signal("CONT").await;
    // No call triggers any of this.
    signed_out
        .raw
        .wait_for_count(attempts + 1, |it| it.is("server/discover"))
        .await;
    lost.raw.wait_for_count(2, |it| it.is("initialize")).await;
    kept.raw
        .wait_for_count(2, |it| it.is("subscriptions/listen"))
        .await;
    for name in ["lost", "kept"] {
        assert!(client.call(name, json!({})).await["result"].is_object());
    }
    assert_eq!(lost.requests_of("initialize").len(), 2);
}

/// Returns a large response to no request, without its last brace. The proxy needs about a second to read
/// it, and does nothing else meanwhile.
fn large_response() -> String {
    let members = "[],".repeat(8 << 20);
    format!(r#"{{"jsonrpc":"2.0","id":"none","result":[{members}[]]"#)
}

/// Sends a call that the proxy reads first after a suspend.
///
/// Checks that the call is served although the old connections are dead. Returns `false` if the call ran
/// before the suspend.
async fn is_served_right_after_resume() -> bool {
    let server = upstream::modern().tool("work").start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    server.wait_for_request("subscriptions/listen").await;
    client.send_bytes(large_response().as_bytes()).await;
    // The call arrives with the last brace and is read next, before any timer fires.
    let call = call_line("9", r#"{"name":"work"}"#);
    client.send_line(format!("}}\n{call}")).await;
    client.signal("STOP").await;
    // The duration of the suspend.
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
async fn call_read_before_the_suspend_is_detected_is_served() {
    for _ in 0..3 {
        if is_served_right_after_resume().await {
            return;
        }
    }
    panic!("the process was never stopped in time");
}
