//! How a listen ends: without a word when the client wants it, with two when we do.

use serde_json::Value;

use crate::subscriptions::{
    PROMPTS, TAG, expected, listen, listen_line, modern, of, serving, updates, wait_for_end,
};
use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    a_cancelled_listen_is_silent_and_its_resources_are_let_go
}

async fn a_cancelled_listen_is_silent_and_its_resources_are_let_go(kind: Kind) {
    let server = serving(kind.server(), "x://1").start().await;
    let mut client = modern(&server).await;
    let filter = r#"{"promptsListChanged":true,"resourceSubscriptions":["x://1"]}"#;
    listen(&mut client, r#""a""#, filter).await;
    listen(&mut client, r#""b""#, r#"{"promptsListChanged":true}"#).await;
    // However it is written.
    let params = r#"{"requestId":"\u0061","reason":"enough"}"#;
    let method = "notifications/cancelled";
    let cancelled = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    client.send_line(cancelled).await;
    wait_for_end(kind, &server, "x://1").await;
    let before = client.received().len();
    if kind != Kind::Modern {
        crate::subscriptions::update(&server, "x://1").await;
    }
    server.notify(PROMPTS, "{}").await;
    let notification = client.notification(PROMPTS).await;
    assert_eq!(notification["params"]["_meta"][TAG], "b");
    assert!(client.close().await.success());
    let lines = client.received();
    let lines = lines[before..].iter().map(|l| String::from_utf8_lossy(l));
    assert!(!lines.into_iter().any(|line| line.contains(r#""a""#)));
    assert_eq!(updates(&client), expected([]));
}

#[tokio::test]
async fn at_our_end_each_listen_is_cancelled_and_answered() {
    let server = serving(upstream::legacy(), "x://1").start().await;
    let mut client = modern(&server).await;
    listen(&mut client, r#""\u0061""#, "{}").await;
    listen(&mut client, "2.0", &of(&["x://1"])).await;
    let before = client.received().len();
    assert!(client.close().await.success());
    let lines = client.received();
    let lines: Vec<_> = lines[before..]
        .iter()
        .map(|l| String::from_utf8_lossy(l))
        .collect();
    let expected = [r#""\u0061""#, "2.0"].map(|id| {
        let tag = format!(r#""_meta":{{"{TAG}":{id}}}"#);
        let cancelled = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{{tag},"requestId":{id},"reason":"the proxy is shutting down"}}}}"#
        );
        let result =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete",{tag}}}}}"#);
        [cancelled, result]
    });
    assert_eq!(lines, expected.as_flattened());
}

#[cfg(unix)]
#[tokio::test]
async fn at_a_signal_each_listen_is_answered() {
    let server = serving(upstream::modern(), "x://1").start().await;
    let mut client = modern(&server).await;
    listen(&mut client, "1", &of(&["x://1"])).await;
    client.signal("TERM").await;
    client.wait().await;
    let last: Value = serde_json::from_slice(client.received().last().unwrap()).unwrap();
    assert_eq!(last["id"], 1, "{last}");
    assert_eq!(last["result"]["resultType"], "complete", "{last}");
}

#[tokio::test]
async fn a_listen_that_is_not_acknowledged_ends_without_a_word() {
    let server = serving(upstream::legacy(), "x://1");
    let server = server.intercept(|request| request.is("resources/subscribe").then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.send_line(listen_line("1", &of(&["x://1"]))).await;
    server.wait_for_request("resources/subscribe").await;
    assert!(client.close().await.success());
    assert_eq!(client.received(), [b""; 0]);
}
