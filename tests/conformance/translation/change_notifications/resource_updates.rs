//! Resource subscriptions and updates.

use serde_json::json;

use super::{
    ALL, server_with_list_changes, server_with_subscriptions, wait_for_filter,
    wait_until_filter_is_closed,
};
use crate::pairing::Pairing;
use crate::translation::pairing::{SUBSCRIPTION, text};
use testkit::json::{bytes_of, part};
use testkit::raw::Request;

const UNSUBSCRIBABLE: &str = r#"{"tools":{},"resources":{"listChanged":true}}"#;

pub(super) async fn subscribe_reaches_the_owning_upstream(pairing: Pairing) {
    check_request_reaches_the_owning_upstream(pairing, "resources/subscribe").await;
}

pub(super) async fn unsubscribe_reaches_the_owning_upstream(pairing: Pairing) {
    check_request_reaches_the_owning_upstream(pairing, "resources/unsubscribe").await;
}

pub(super) async fn check_request_reaches_the_owning_upstream(pairing: Pairing, method: &str) {
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let a = a.capabilities(ALL).result(method, "{}").start().await;
        let b = server_with_subscriptions(b)
            .result(method, r#"{ "x":1E2}"#)
            .start()
            .await;
        let mut client = pairing.client_of_two(&a, &b).await;
        client.tool_names().await;
        if method == "resources/unsubscribe" {
            client
                .request("resources/subscribe", json!({"uri": "x://1"}))
                .await;
        }
        let line = pairing.line("7", method, "", r#""uri":"x:\/\/1", "x":[ ]"#);
        let answer = client.exchange(line, "7").await;
        assert!(part(&answer, &["result"]).is_some(), "{}", text(&answer));
        let request = b.wait_for_request(method).await;
        assert_eq!(request.json()["params"]["uri"], "x://1");
        assert!(a.requests_of(method).is_empty());
    }
}

pub(super) async fn subscribe_becomes_a_filter(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    for uris in [&["x://1"][..], &["x://1", "x://2"]] {
        let uri = json!({"uri": uris.last().unwrap()});
        let response = client.request("resources/subscribe", uri).await;
        assert_eq!(response["result"], json!({}), "{response}");
        wait_for_filter(&server, uris).await;
    }
    wait_until_filter_is_closed(&server, &["x://1"]).await;
    assert!(server.requests_of("resources/subscribe").is_empty());
}

pub(super) async fn unsubscribe_removes_the_filter(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    for uri in ["x://1", "x://2"] {
        client
            .request("resources/subscribe", json!({"uri": uri}))
            .await;
    }
    let response = client
        .request("resources/unsubscribe", json!({"uri": "x://1"}))
        .await;
    assert_eq!(response["result"], json!({}), "{response}");
    wait_for_filter(&server, &["x://2"]).await;
    assert!(server.requests_of("resources/unsubscribe").is_empty());
}

/// Subscribes the client to updates of two resources.
async fn listen_to_both(client: &mut testkit::proxy::Client) {
    let uris = json!(["x://1", "x://2"]);
    let notification = client.listen(json!({"resourceSubscriptions": uris})).await;
    let honoured = &notification["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(*honoured, uris);
}

pub(super) async fn filter_becomes_subscribe_requests(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_subscriptions(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        listen_to_both(&mut client).await;
        let is_subscription = |request: &Request| request.is("resources/subscribe");
        let request = server.raw.wait_for_count(2, is_subscription).await;
        let request: Vec<_> = request
            .iter()
            .map(|r| r.json()["params"]["uri"].take())
            .collect();
        assert!(request.contains(&json!("x://1")) && request.contains(&json!("x://2")));
    }
}

pub(super) async fn filter_reaches_the_upstream(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    listen_to_both(&mut client).await;
    wait_for_filter(&server, &["x://1", "x://2"]).await;
}

pub(super) async fn subscribe_error_passes_unchanged(pairing: Pairing) {
    let error = r#"{ "code":-32002,"message":"\u00e9","data":{"uri":"x://1"}}"#;
    for builder in pairing.servers() {
        let server =
            server_with_list_changes(builder).answers("resources/subscribe", move |request| {
                crate::translation::pairing::answer(request, &format!(r#""error":{error}"#))
            });
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let line = pairing.line("7", "resources/subscribe", "", r#""uri":"x://1""#);
        let answer = client.exchange(line, "7").await;
        assert_eq!(bytes_of(&answer, &["error"]), error);
    }
}

pub(super) async fn unacknowledged_subscription_is_an_error(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server())
        .capabilities(UNSUBSCRIBABLE)
        .start()
        .await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    let response = client
        .request("resources/subscribe", json!({"uri": "x://1"}))
        .await;
    assert!(response["error"].is_object(), "{response}");
}

pub(super) async fn rejected_subscription_is_not_acknowledged(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server());
    let server = match pairing.legacy_upstream() {
        true => server.answers("resources/subscribe", |request| {
            crate::translation::pairing::answer(
                request,
                r#""error":{"code":-32002,"message":"no"}"#,
            )
        }),
        false => server.capabilities(UNSUBSCRIBABLE),
    };
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    let filter = json!({"resourcesListChanged": true, "resourceSubscriptions": ["x://1"]});
    let notification = client.listen(filter).await;
    let honoured = &notification["params"]["notifications"];
    assert_eq!(honoured["resourcesListChanged"], true, "{notification}");
    let uris = &honoured["resourceSubscriptions"];
    assert!(uris.is_null() || *uris == json!([]), "{notification}");
}

pub(super) async fn update_passes_unchanged(pairing: Pairing) {
    let updated = r#"{ "jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:\/\/1","x":1E2}}"#;
    for builder in pairing.servers() {
        let server = server_with_subscriptions(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        client
            .request("resources/subscribe", json!({"uri": "x://1"}))
            .await;
        server.event_stream().await.send(updated).await;
        let notification = client
            .notification_line("notifications/resources/updated")
            .await;
        assert_eq!(text(&notification), updated);
    }
}

pub(super) async fn update_loses_its_subscription_id(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    client
        .request("resources/subscribe", json!({"uri": "x://1"}))
        .await;
    let params = r#"{"uri":"x://1","_meta":{"y":1}}"#;
    server
        .notify("notifications/resources/updated", params)
        .await;
    let notification = client.notification("notifications/resources/updated").await;
    assert_eq!(
        notification["params"],
        json!({"uri": "x://1", "_meta": {"y": 1}})
    );
}

pub(super) async fn update_gets_a_subscription_id(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_subscriptions(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let mut notification = client
            .listen(json!({"resourceSubscriptions": ["x://1"]}))
            .await;
        let id = notification["params"]["_meta"][SUBSCRIPTION].take();
        let params = r#"{"uri":"x://1","_meta":{"y":1}}"#;
        server
            .notify("notifications/resources/updated", params)
            .await;
        let notification = client.notification("notifications/resources/updated").await;
        let meta = json!({"y": 1, SUBSCRIPTION: id});
        assert_eq!(
            notification["params"],
            json!({"uri": "x://1", "_meta": meta})
        );
    }
}
