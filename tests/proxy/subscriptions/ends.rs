//! The end of a listen: silent if the client cancels it, with a cancellation and a result at shutdown.

use serde_json::Value;

use crate::subscriptions::{
    PROMPTS, SUBSCRIPTION_ID, expected, listen, listen_line, modern_client, resource_filter,
    server_with_resource, updates, wait_for_last_unsubscribe,
};
use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    cancelled_listen_ends_silently_and_unsubscribes
}

async fn cancelled_listen_ends_silently_and_unsubscribes(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = modern_client(&server).await;
    let filter = r#"{"promptsListChanged":true,"resourceSubscriptions":["x://1"]}"#;
    listen(&mut client, r#""a""#, filter).await;
    listen(&mut client, r#""b""#, r#"{"promptsListChanged":true}"#).await;
    // The id has another spelling here than in the listen.
    let params = r#"{"requestId":"\u0061","reason":"enough"}"#;
    let method = "notifications/cancelled";
    let cancelled = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    client.send_line(cancelled).await;
    wait_for_last_unsubscribe(kind, &server, "x://1").await;
    let before = client.received().len();
    if kind != Kind::Modern {
        crate::subscriptions::update(&server, "x://1").await;
    }
    server.notify(PROMPTS, "{}").await;
    let notification = client.notification(PROMPTS).await;
    assert_eq!(notification["params"]["_meta"][SUBSCRIPTION_ID], "b");
    assert!(client.close().await.success());
    let lines = client.received();
    let lines = lines[before..].iter().map(|l| String::from_utf8_lossy(l));
    assert!(!lines.into_iter().any(|line| line.contains(r#""a""#)));
    assert_eq!(updates(&client), expected([]));
}

#[tokio::test]
async fn shutdown_cancels_and_answers_each_listen() {
    let server = server_with_resource(upstream::legacy(), "x://1")
        .start()
        .await;
    let mut client = modern_client(&server).await;
    listen(&mut client, r#""\u0061""#, "{}").await;
    listen(&mut client, "2.0", &resource_filter(&["x://1"])).await;
    let before = client.received().len();
    assert!(client.close().await.success());
    let lines = client.received();
    let lines: Vec<_> = lines[before..]
        .iter()
        .map(|l| String::from_utf8_lossy(l))
        .collect();
    let expected = [r#""\u0061""#, "2.0"].map(|id| {
        let tag = format!(r#""_meta":{{"{SUBSCRIPTION_ID}":{id}}}"#);
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
async fn termination_signal_answers_each_listen() {
    let server = server_with_resource(upstream::modern(), "x://1")
        .start()
        .await;
    let mut client = modern_client(&server).await;
    listen(&mut client, "1", &resource_filter(&["x://1"])).await;
    client.signal("TERM").await;
    client.wait().await;
    let last: Value = serde_json::from_slice(client.received().last().unwrap()).unwrap();
    assert_eq!(last["id"], 1, "{last}");
    assert_eq!(last["result"]["resultType"], "complete", "{last}");
}

#[tokio::test]
async fn unacknowledged_listen_ends_silently_at_shutdown() {
    let server = server_with_resource(upstream::legacy(), "x://1");
    let server = server.intercept(|request| request.is("resources/subscribe").then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client
        .send_line(listen_line("1", &resource_filter(&["x://1"])))
        .await;
    server.wait_for_request("resources/subscribe").await;
    assert!(client.close().await.success());
    assert_eq!(client.received(), [b""; 0]);
}
