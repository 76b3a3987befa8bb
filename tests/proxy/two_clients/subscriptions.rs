//! Different subscriptions: an update reaches only its subscriber, a tool list change both clients.

use serde_json::{Value, json};
use testkit::raw::Request;
use testkit::upstream::{Kind, Upstream, tool};

use super::harness::{Era, EraClient, SharedProxy};

per_pair! {
    updates_reach_only_the_subscriber
    tool_list_change_reaches_both_clients
    disconnect_ends_the_subscriptions_of_that_client
}

const UPDATED: &str = "notifications/resources/updated";
const TOOLS: &str = "notifications/tools/list_changed";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// A server with two resources that clients can subscribe to.
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

/// Opens the event stream of a modern client with this filter.
async fn listen(client: &mut EraClient, filter: Value) {
    let params = json!({"notifications": filter});
    client
        .start_request("\"listen\"", "subscriptions/listen", params)
        .await;
    client.notification(ACKNOWLEDGED).await;
}

async fn subscribe(client: &mut EraClient, uri: &str) {
    match client.era {
        Era::Modern => listen(client, json!({"resourceSubscriptions": [uri]})).await,
        Era::Legacy => {
            let params = json!({"uri": uri});
            let answer = client
                .request_with_id("\"s\"", "resources/subscribe", params)
                .await;
            assert_eq!(answer["result"], json!({}), "{answer}");
        }
    }
}

/// Sends an update to every subscriber, whatever its resources, so that the proxy has to filter it.
async fn update(server: &Upstream, uri: &str) {
    let params = json!({"uri": uri}).to_string();
    server.notify_unfiltered(UPDATED, &params).await;
}

/// The resources of the updates that the client has received.
fn updates(client: &EraClient) -> Vec<Value> {
    let updates = client.received_with(UPDATED).into_iter();
    let mut uris: Vec<_> = updates.map(|mut it| it["params"]["uri"].take()).collect();
    // Each session of the proxy receives the update.
    uris.dedup();
    uris
}

async fn updates_reach_only_the_subscriber(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    subscribe(&mut a, "x://1").await;
    subscribe(&mut b, "x://2").await;
    for uri in ["x://1", "x://2", "x://1"] {
        update(&server, uri).await;
    }
    // The proxy has handled the earlier updates of the other client by then, too.
    b.notification(UPDATED).await;
    a.notification(UPDATED).await;
    a.notification(UPDATED).await;
    b.barrier().await;
    assert_eq!(updates(&a), ["x://1"]);
    assert_eq!(updates(&b), ["x://2"]);
}

async fn tool_list_change_reaches_both_clients(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = proxy.connect_two(eras).await;
    for client in &mut clients {
        client.barrier().await;
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

async fn disconnect_ends_the_subscriptions_of_that_client(kind: Kind, eras: [Era; 2]) {
    let server = server(kind).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    subscribe(&mut a, "x://1").await;
    subscribe(&mut b, "x://2").await;
    a.close_stdin();
    a.wait_for_end_of_output().await;
    let ends_subscription_of_a = |request: &Request| match kind {
        Kind::Modern => {
            request.is("subscriptions/listen")
                && request.json()["params"]["notifications"]["resourceSubscriptions"]
                    == json!(["x://2"])
        }
        _ => request.is("resources/unsubscribe") && request.json()["params"]["uri"] == "x://1",
    };
    server.raw.wait_for(ends_subscription_of_a).await;
    update(&server, "x://1").await;
    update(&server, "x://2").await;
    let update = b.notification(UPDATED).await;
    assert_eq!(update["params"]["uri"], "x://2");
}
