//! One resource that several want: it is subscribed to until the last of them lets go.

use serde_json::{Value, json};

use crate::subscriptions::{
    RESOURCES, UPDATED, count, expected, listen, modern, of, serving, update, updates, wait_for_end,
};
use testkit::proxy::Client;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    shared_subscription_lasts_until_listen_and_session_end_it
    two_listens_that_want_one_resource_are_one_subscription
}

async fn cancel(client: &mut Client, id: Value) {
    let params = json!({"requestId": id});
    client.notify("notifications/cancelled", params).await;
}

async fn shared_subscription_lasts_until_listen_and_session_end_it(kind: Kind) {
    for listen_first in [true, false] {
        let server = serving(kind.server(), "x://1").start().await;
        let mut client = modern(&server).await;
        client.initialize().await;
        let uri = json!({"uri": "x://1"});
        if listen_first {
            listen(&mut client, r#""a""#, &of(&["x://1"])).await;
        }
        let done = client.request("resources/subscribe", uri.clone()).await;
        assert_eq!(done["result"], json!({}));
        if !listen_first {
            listen(&mut client, r#""a""#, &of(&["x://1"])).await;
        }
        update(&server, "x://1").await;
        client.notification(UPDATED).await;
        client.notification(UPDATED).await;

        // One lets go, and the other still hears.
        let left = match listen_first {
            true => {
                let done = client.request("resources/unsubscribe", uri.clone()).await;
                assert_eq!(done["result"], json!({}));
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
        let notification = [Value::Null, json!("a"), left].map(|tag| ("x://1", tag));
        assert_eq!(updates(&client), expected(notification), "{listen_first}");
        assert_eq!(count(&server, "resources/unsubscribe"), 0);

        // The other lets go as well.
        match listen_first {
            true => cancel(&mut client, json!("a")).await,
            false => {
                client.request("resources/unsubscribe", uri).await;
            }
        }
        wait_for_end(kind, &server, "x://1").await;
        update_broadcast(kind, &server).await;
        server.notify(RESOURCES, "{}").await;
        client.notification(RESOURCES).await;
        assert_eq!(updates(&client).len(), 3, "{listen_first}");
        assert!(count(&server, "resources/unsubscribe") <= 1);
    }
}

/// A legacy server may tell of what nobody asked for; a modern one has nobody left to tell.
async fn update_broadcast(kind: Kind, server: &upstream::Upstream) {
    if kind != Kind::Modern {
        update(server, "x://1").await;
    }
}

async fn two_listens_that_want_one_resource_are_one_subscription(kind: Kind) {
    let server = serving(kind.server(), "x://1").start().await;
    let mut client = modern(&server).await;
    listen(&mut client, "1", &of(&["x://1"])).await;
    listen(&mut client, "2", &of(&["x://1"])).await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    cancel(&mut client, json!(1)).await;
    client.modern("ping", json!({})).await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    let notification = [1, 2, 2].map(|tag| ("x://1", json!(tag)));
    assert_eq!(updates(&client), expected(notification));
    let asked = server.raw.requests();
    let asked = asked.iter().filter(|request| {
        crate::subscriptions::subscribes("x://1")(request)
            || crate::subscriptions::listens(&["x://1"])(request)
    });
    assert_eq!(asked.count(), 1);
    assert_eq!(count(&server, "resources/unsubscribe"), 0);
}
