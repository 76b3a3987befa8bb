//! The lifecycle of a `subscriptions/listen` request.

use serde_json::json;

use super::{
    filter_of, server_with_list_changes, server_with_subscriptions, wait_until_filter_is_closed,
};
use crate::pairing::Pairing;
use crate::translation::pairing::{SUBSCRIPTION, text};
use testkit::json::{bytes_of, part};
use testkit::proxy::Client;
use testkit::raw::Request;

pub(super) async fn listen_is_unknown_to_legacy_clients(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    let filter = json!({"notifications": {"toolsListChanged": true}, "x": "own"});
    let response = client.request("subscriptions/listen", filter).await;
    assert_eq!(response["error"]["code"], -32601, "{response}");
    let listens = server.requests_of("subscriptions/listen");
    assert!(listens.iter().all(|listen| !listen.text().contains("own")));
}

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Sends `subscriptions/listen` with this id (JSON). Returns the acknowledgement.
async fn listen(pairing: Pairing, client: &mut Client, id: &str, filter: &str) -> Vec<u8> {
    let members = format!(r#""notifications":{filter}"#);
    let line = pairing.line(id, "subscriptions/listen", "", &members);
    client.send_line(line).await;
    let notification = client.notification_line(ACKNOWLEDGED).await;
    assert_eq!(
        bytes_of(&notification, &["params", "_meta", SUBSCRIPTION]),
        id
    );
    notification
}

pub(super) async fn subscription_is_acknowledged_first(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_list_changes(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let before = client.received().len();
        let filter = r#"{"toolsListChanged":true,"promptsListChanged":false,"example.com/x":true}"#;
        let notification = listen(pairing, &mut client, r#""l\u0031""#, filter).await;
        assert_eq!(client.received()[before], notification);
        let honoured = bytes_of(&notification, &["params", "notifications"]);
        let honoured: serde_json::Value = serde_json::from_str(honoured).unwrap();
        assert_eq!(honoured["toolsListChanged"], true);
        assert!(honoured["promptsListChanged"] != true && honoured["example.com/x"].is_null());
        listen(pairing, &mut client, "77", r#"{"promptsListChanged":true}"#).await;

        // Each subscription receives what it requested.
        let new = testkit::upstream::tool("new");
        server.set_tools([&*new]);
        server.list_changed().await;
        server
            .notify("notifications/prompts/list_changed", "{}")
            .await;
        for (kind, id) in [("tools", r#""l\u0031""#), ("prompts", "77")] {
            let method = format!("notifications/{kind}/list_changed");
            let notification = client.notification_line(&method).await;
            assert_eq!(
                bytes_of(&notification, &["params", "_meta", SUBSCRIPTION]),
                id
            );
            assert_eq!(client.received_with(&method).len(), 1);
        }
    }
}

pub(super) async fn cancelled_subscription_gets_no_response(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_list_changes(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let filter = r#"{"toolsListChanged":true}"#;
        listen(pairing, &mut client, r#""l1""#, filter).await;
        let cancelled = json!({"requestId": "l1"});
        client.notify("notifications/cancelled", cancelled).await;
        listen(pairing, &mut client, r#""l2""#, filter).await;
        let new = testkit::upstream::tool("new");
        server.set_tools([&*new]);
        server.list_changed().await;
        let changed = "notifications/tools/list_changed";
        let notification = client.notification_line(changed).await;
        assert_eq!(
            bytes_of(&notification, &["params", "_meta", SUBSCRIPTION]),
            r#""l2""#
        );
        assert!(client.close().await.success());
        assert_eq!(client.received_with(changed).len(), 1);
        let lines = client.received();
        assert!(
            lines
                .iter()
                .all(|line| part(line, &["id"]) != Some(r#""l1""#))
        );
    }
}

/// Cancels a subscription to a resource and asserts that it ends upstream.
pub(super) async fn subscription_ends_upstream(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_subscriptions(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let filter = r#"{"resourceSubscriptions":["x://1"]}"#;
        listen(pairing, &mut client, r#""l1""#, filter).await;
        if !pairing.legacy_upstream() {
            let listens =
                |request: &Request| filter_of(request)["resourceSubscriptions"].is_array();
            server.raw.wait_for(listens).await;
        }
        let cancelled = json!({"requestId": "l1"});
        client.notify("notifications/cancelled", cancelled).await;
        if pairing.legacy_upstream() {
            let request = server.wait_for_request("resources/unsubscribe").await;
            assert_eq!(request.json()["params"]["uri"], "x://1");
        } else {
            wait_until_filter_is_closed(&server, &["x://1"]).await;
        }
    }
}

pub(super) async fn subscription_gets_a_response_at_shutdown(pairing: Pairing) {
    let server = server_with_list_changes(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    listen(
        pairing,
        &mut client,
        r#""l\u0031""#,
        r#"{"toolsListChanged":true}"#,
    )
    .await;
    client.close_stdin();
    let answer = client.answer_to(r#""l\u0031""#).await;
    let kind = bytes_of(&answer, &["result", "resultType"]);
    assert_eq!(kind, r#""complete""#);
    let id = bytes_of(&answer, &["result", "_meta", SUBSCRIPTION]);
    assert_eq!(id, r#""l\u0031""#, "{}", text(&answer));
    assert!(client.wait().await.success());
}

pub(super) async fn lost_event_stream_is_reopened(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_list_changes(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        if !pairing.legacy_client() {
            client.listen(json!({"toolsListChanged": true})).await;
        }
        match pairing.legacy_upstream() {
            true => drop(server.event_stream().await),
            false => drop(server.wait_for_request("subscriptions/listen").await),
        }
        server.end_streams();
        let new = testkit::upstream::tool("new");
        server.set_tools([&*new]);
        server.list_changed().await;
        client
            .notification("notifications/tools/list_changed")
            .await;
        assert_eq!(client.tool_names().await, ["new"]);
    }
}
