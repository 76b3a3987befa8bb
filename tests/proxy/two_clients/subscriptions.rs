//! Different subscriptions: an update reaches its subscriber alone, a change of a list both.

use serde_json::{Value, json};
use testkit::raw::Request;
use testkit::upstream::{Kind, Upstream, tool};

use super::harness::{Era, Peer, Shared};

per_pair! {
    updates_reach_the_subscriber_alone
    changed_tools_are_announced_to_both
    subscriptions_of_a_client_that_leaves_end
}

const UPDATED: &str = "notifications/resources/updated";
const TOOLS: &str = "notifications/tools/list_changed";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// A server with two resources, to which clients can subscribe.
async fn server(kind: Kind) -> Upstream {
    let resources = ["x://1", "x://2"].map(|uri| json!({"uri": uri, "name": uri}).to_string());
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#)
        .offers("resources", resources.iter().map(String::as_str))
        .offers("resourceTemplates", [])
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}");
    server.start().await
}

/// Opens a modern client's subscription.
async fn listen(client: &mut Peer, filter: Value) {
    let params = json!({"notifications": filter});
    client
        .begin("\"listen\"", "subscriptions/listen", params)
        .await;
    client.notification(ACKNOWLEDGED).await;
}

async fn subscribe(client: &mut Peer, uri: &str) {
    match client.era {
        Era::Modern => listen(client, json!({"resourceSubscriptions": [uri]})).await,
        Era::Legacy => {
            let params = json!({"uri": uri});
            let answer = client.finish("\"s\"", "resources/subscribe", params).await;
            assert_eq!(answer["result"], json!({}), "{answer}");
        }
    }
}

/// Announces an update to whoever subscribed to any resource: proxies have to know whose it is.
async fn update(server: &Upstream, uri: &str) {
    let params = json!({"uri": uri}).to_string();
    server.notify_unfiltered(UPDATED, &params).await;
}

/// The resources of the updates that a client has heard of.
fn updates(client: &Peer) -> Vec<Value> {
    let updates = client.received_with(UPDATED).into_iter();
    let mut uris: Vec<_> = updates.map(|mut it| it["params"]["uri"].take()).collect();
    // Each session of ours is told.
    uris.dedup();
    uris
}

async fn updates_reach_the_subscriber_alone(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    subscribe(&mut a, "x://1").await;
    subscribe(&mut b, "x://2").await;
    for uri in ["x://1", "x://2", "x://1"] {
        update(&server, uri).await;
    }
    // What comes after it has passed the other, too.
    b.notification(UPDATED).await;
    a.notification(UPDATED).await;
    a.notification(UPDATED).await;
    b.fence().await;
    assert_eq!(updates(&a), ["x://1"]);
    assert_eq!(updates(&b), ["x://2"]);
}

async fn changed_tools_are_announced_to_both(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let shared = Shared::before(&server);
    let mut clients = shared.clients(eras).await;
    for client in &mut clients {
        client.fence().await;
        if client.era == Era::Modern {
            listen(client, json!({"toolsListChanged": true})).await;
        }
    }
    server.set_tools([tool("t").as_str(), &tool("u")]);
    server.list_changed().await;
    for client in &mut clients {
        client.notification(TOOLS).await;
    }
}

async fn subscriptions_of_a_client_that_leaves_end(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    subscribe(&mut a, "x://1").await;
    subscribe(&mut b, "x://2").await;
    a.close_stdin();
    a.wait_for_end_of_output().await;
    let ends_first = |request: &Request| match kind {
        Kind::Modern => {
            request.is("subscriptions/listen")
                && request.json()["params"]["notifications"]["resourceSubscriptions"]
                    == json!(["x://2"])
        }
        _ => request.is("resources/unsubscribe") && request.json()["params"]["uri"] == "x://1",
    };
    server.raw.wait_for(ends_first).await;
    update(&server, "x://1").await;
    update(&server, "x://2").await;
    let update = b.notification(UPDATED).await;
    assert_eq!(update["params"]["uri"], "x://2");
}
