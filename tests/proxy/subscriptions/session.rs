//! `resources/subscribe` of a legacy client.
//!
//! A legacy server receives the request itself. At a modern server the proxy opens a listen.

use serde_json::json;

use crate::subscriptions::{
    CAPABILITIES, RESOURCES, UPDATED, expected, listens, request_count, resource_filter,
    server_with_resource, subscribes, unsubscribes, update, updates, wait_for_last_unsubscribe,
};
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    [legacy http_sse]
    subscribe_and_its_result_pass_legacy_servers_byte_for_byte
}

testkit::per_kind! {
    session_gets_updates_only_while_it_is_subscribed
    update_passes_byte_for_byte_without_a_subscription_id
    subscription_reaches_the_server_that_lists_the_resource
}

async fn subscribe(client: &mut Client, uri: &str) -> serde_json::Value {
    let params = json!({"uri": uri});
    client.request("resources/subscribe", params).await
}

async fn unsubscribe(client: &mut Client, uri: &str) -> serde_json::Value {
    let params = json!({"uri": uri});
    client.request("resources/unsubscribe", params).await
}

/// The line of the next update.
async fn next_update(client: &mut Client) -> String {
    loop {
        let line = String::from_utf8(client.next_line().await).unwrap();
        if line.contains(UPDATED) {
            return line;
        }
    }
}

async fn session_gets_updates_only_while_it_is_subscribed(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = proxy::before(&server).await;
    assert_eq!(subscribe(&mut client, "x://1").await["result"], json!({}));
    assert_eq!(subscribe(&mut client, "x://2").await["result"], json!({}));
    // A legacy server may send updates without a subscription.
    update(&server, "x://other").await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    assert_eq!(unsubscribe(&mut client, "x://1").await["result"], json!({}));
    if kind == Kind::Modern {
        // An update could be lost while one event stream replaces the other.
        server.closed_for("x://1").await;
    }
    update(&server, "x://1").await;
    update(&server, "x://2").await;
    client.notification(UPDATED).await;
    let notifications = expected([("x://1", json!(null)), ("x://2", json!(null))]);
    assert_eq!(updates(&client), notifications);

    assert_eq!(unsubscribe(&mut client, "x://2").await["result"], json!({}));
    wait_for_last_unsubscribe(kind, &server, "x://2").await;
    server.notify(RESOURCES, "{}").await;
    client.notification(RESOURCES).await;
    match kind {
        Kind::Modern => {
            server.raw.wait_for(listens(&["x://1", "x://2"])).await;
            server.raw.wait_for(listens(&["x://2"])).await;
        }
        _ => {
            // The client's requests are the only ones.
            assert_eq!(request_count(&server, "resources/subscribe"), 2);
            assert_eq!(request_count(&server, "resources/unsubscribe"), 2);
        }
    }
}

async fn subscribe_and_its_result_pass_legacy_servers_byte_for_byte(kind: Kind) {
    let answer = r#"{"_meta":{"n":1E2} }"#;
    let server = server_with_resource(kind.server(), "x://1")
        .result("resources/subscribe", answer)
        .result("resources/unsubscribe", answer);
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let line = |id: &str| {
            format!(
                r#"{{"method":"{method}","id":{id},"params":{{ "uri":"x:\/\/1","n":1.0}},"jsonrpc":"2.0"}}"#
            )
        };
        let response = client.exchange(line(r#""\u0061""#), r#""\u0061""#).await;
        let response = String::from_utf8(response).unwrap();
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"\u0061","result":{answer}}}"#);
        assert_eq!(response, expected);
        let sent = server.raw.wait_for(|request| request.is(method)).await;
        let id = String::from_utf8(sent.id_bytes().unwrap()).unwrap();
        assert_eq!(String::from_utf8(sent.body).unwrap(), line(&id));
    }
}

async fn update_passes_byte_for_byte_without_a_subscription_id(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").tool("talk");
    let server = server.on_call(|call| async move {
        for meta in [
            r#""_meta":{"io.modelcontextprotocol/subscriptionId":7},"#,
            r#""_meta":{"y":1.0,"io.modelcontextprotocol/subscriptionId":7},"#,
            "",
        ] {
            let line = format!(
                r#"{{"method":"{UPDATED}","params":{{{meta}"uri":"x:\/\/1"}}, "jsonrpc":"2.0"}}"#
            );
            call.send(line).await;
        }
        br#"{"content":[],"resultType":"complete"}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    subscribe(&mut client, "x://1").await;
    client
        .send_request("tools/call", json!({"name": "talk"}))
        .await;
    for meta in ["", r#""_meta":{"y":1.0},"#, ""] {
        let notification = next_update(&mut client).await;
        let line = format!(
            r#"{{"method":"{UPDATED}","params":{{{meta}"uri":"x:\/\/1"}}, "jsonrpc":"2.0"}}"#
        );
        assert_eq!(notification, line);
    }
}

#[tokio::test]
async fn subscriber_gets_an_error_if_a_modern_server_declines() {
    let server = server_with_resource(upstream::modern(), "x://1").declines("x://1");
    let server = server.start().await;
    let without = CAPABILITIES.replace(r#","subscribe":true"#, "");
    let without = server_with_resource(upstream::modern(), "x://2").capabilities(&without);
    let without = without.start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &without);
    let mut client = proxy.start().await;
    client.initialize().await;
    for (uri, name) in [("x://1", "`a`"), ("x://2", "`b`")] {
        let error = subscribe(&mut client, uri).await["error"].take();
        assert_eq!(error["code"], -32602, "{error}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(uri) && text.contains(name), "{text}");
    }
    assert_eq!(updates(&client), []);
    // A later subscribe request is sent to the server again.
    let listen_count = |server: &upstream::Upstream| {
        let requests = server.raw.requests();
        requests.into_iter().filter(listens(&["x://1"])).count()
    };
    assert_eq!(listen_count(&server), 1);
    subscribe(&mut client, "x://1").await;
    assert_eq!(listen_count(&server), 2);
    assert_eq!(listen_count(&without), 0);
}

#[tokio::test]
async fn rejected_subscription_returns_the_error_and_no_updates() {
    let server = upstream::legacy().capabilities(CAPABILITIES);
    let server = server.offers("resources", [r#"{"uri":"x://1"}"#]);
    let server = server.offers("prompts", []).start().await;
    let mut client = proxy::before(&server).await;
    let rejected = subscribe(&mut client, "x://1").await;
    assert_eq!(
        rejected["error"],
        json!({"code": -32601, "message": "Method not found"})
    );
    update(&server, "x://1").await;
    server.notify(RESOURCES, "{}").await;
    client.notification(RESOURCES).await;
    assert_eq!(updates(&client), []);
}

async fn subscription_reaches_the_server_that_lists_the_resource(kind: Kind) {
    let first = server_with_resource(upstream::legacy(), "x://1")
        .start()
        .await;
    let second = server_with_resource(kind.server(), "x://2").start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &second);
    let mut client = proxy.start().await;
    client.initialize().await;
    subscribe(&mut client, "x://2").await;
    update(&first, "x://2").await;
    update(&second, "x://2").await;
    client.notification(UPDATED).await;
    first.notify(RESOURCES, "{}").await;
    client.notification(RESOURCES).await;
    assert_eq!(updates(&client).len(), 1);
    assert_eq!(request_count(&first, "resources/subscribe"), 0);
    let requests = second.raw.requests();
    let requests = requests
        .iter()
        .filter(|r| subscribes("x://2")(r) || listens(&["x://2"])(r));
    assert_eq!(requests.count(), 1, "{}", resource_filter(&["x://2"]));
    assert!(!second.raw.requests().iter().any(unsubscribes("x://2")));
}
