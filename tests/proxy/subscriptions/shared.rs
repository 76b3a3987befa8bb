//! One subscription at the server serves all subscribers of a resource, until the last one ends.

use serde_json::{Value, json};

use crate::subscriptions::{
    RESOURCES, UPDATED, expected, listen, listens, modern_client, request_count, resource_filter,
    server_with_resource, subscribes, update, updates, wait_for_last_unsubscribe,
};
use testkit::proxy::Client;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    shared_subscription_lasts_until_listen_and_session_end
    two_listens_for_a_resource_share_one_subscription
}

async fn cancel(client: &mut Client, id: Value) {
    let params = json!({"requestId": id});
    client.notify("notifications/cancelled", params).await;
}

async fn shared_subscription_lasts_until_listen_and_session_end(kind: Kind) {
    for listen_first in [true, false] {
        let server = server_with_resource(kind.server(), "x://1").start().await;
        let mut client = modern_client(&server).await;
        client.initialize().await;
        let uri = json!({"uri": "x://1"});
        if listen_first {
            listen(&mut client, r#""a""#, &resource_filter(&["x://1"])).await;
        }
        let response = client.request("resources/subscribe", uri.clone()).await;
        assert_eq!(response["result"], json!({}));
        if !listen_first {
            listen(&mut client, r#""a""#, &resource_filter(&["x://1"])).await;
        }
        update(&server, "x://1").await;
        client.notification(UPDATED).await;
        client.notification(UPDATED).await;

        // One subscriber ends, and the other one still receives updates.
        let remaining_id = match listen_first {
            true => {
                let response = client.request("resources/unsubscribe", uri.clone()).await;
                assert_eq!(response["result"], json!({}));
                json!("a")
            }
            false => {
                cancel(&mut client, json!("a")).await;
                client.request("ping", json!({})).await;
                Value::Null
            }
        };
        update(&server, "x://1").await;
        client.notification(UPDATED).await;
        server.notify(RESOURCES, "{}").await;
        client.notification(RESOURCES).await;
        let notifications = [Value::Null, json!("a"), remaining_id].map(|tag| ("x://1", tag));
        assert_eq!(updates(&client), expected(notifications), "{listen_first}");
        assert_eq!(request_count(&server, "resources/unsubscribe"), 0);

        // The other subscriber ends as well.
        match listen_first {
            true => cancel(&mut client, json!("a")).await,
            false => {
                client.request("resources/unsubscribe", uri).await;
            }
        }
        wait_for_last_unsubscribe(kind, &server, "x://1").await;
        update_broadcast(kind, &server).await;
        server.notify(RESOURCES, "{}").await;
        client.notification(RESOURCES).await;
        assert_eq!(updates(&client).len(), 3, "{listen_first}");
        assert!(request_count(&server, "resources/unsubscribe") <= 1);
    }
}

/// Sends an update without a subscription. Only a legacy server can do so.
async fn update_broadcast(kind: Kind, server: &upstream::Upstream) {
    if kind != Kind::Modern {
        update(server, "x://1").await;
    }
}

async fn two_listens_for_a_resource_share_one_subscription(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = modern_client(&server).await;
    listen(&mut client, "1", &resource_filter(&["x://1"])).await;
    listen(&mut client, "2", &resource_filter(&["x://1"])).await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    cancel(&mut client, json!(1)).await;
    client.modern("ping", json!({})).await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    let notifications = [1, 2, 2].map(|tag| ("x://1", json!(tag)));
    assert_eq!(updates(&client), expected(notifications));
    let requests = server.raw.requests();
    let subscriptions = requests
        .iter()
        .filter(|request| subscribes("x://1")(request) || listens(&["x://1"])(request));
    assert_eq!(subscriptions.count(), 1);
    assert_eq!(request_count(&server, "resources/unsubscribe"), 0);
}
