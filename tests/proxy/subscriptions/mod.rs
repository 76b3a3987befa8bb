//! Subscriptions: only a subscriber receives changes, in every pairing of eras.

mod ends;
mod filters;
mod listens;
mod reconnects;
mod rejections;
mod session;
mod shared;
mod two_sessions;

use serde_json::{Value, json};

use testkit::proxy::{Builder as Proxy, Client};
use testkit::raw::Request;
use testkit::upstream::{Builder, Kind, Upstream};

/// The capabilities of a server that sends every change notification.
const CAPABILITIES: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}"#;

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const UPDATED: &str = "notifications/resources/updated";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// A server that lists this resource and accepts subscriptions.
fn server_with_resource(builder: Builder, uri: &str) -> Builder {
    let resource = json!({"uri": uri, "name": "a resource"}).to_string();
    builder
        .capabilities(CAPABILITIES)
        .offers("prompts", [])
        .offers("resources", [resource.as_str()])
        .offers("resourceTemplates", [])
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}")
}

/// Starts a modern client of one server.
async fn modern_client(server: &Upstream) -> Client {
    let proxy: Proxy = testkit::proxy::new();
    proxy.upstream("a", server).start().await
}

/// The line of a `subscriptions/listen` request; `id` and `filter` are JSON.
fn listen_line(id: &str, filter: &str) -> String {
    let meta = testkit::proxy::with_meta(json!({}))["_meta"].take();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"_meta":{meta},"notifications":{filter}}}}}"#
    )
}

/// Sends a listen under this id and returns the acknowledged filter.
async fn listen(client: &mut Client, id: &str, filter: &str) -> Value {
    client.send_line(listen_line(id, filter)).await;
    let mut acknowledged = client.notification(ACKNOWLEDGED).await;
    let tag: Value = serde_json::from_str(id).unwrap();
    assert_eq!(
        acknowledged["params"]["_meta"],
        json!({ SUBSCRIPTION_ID: tag })
    );
    acknowledged["params"]["notifications"].take()
}

/// A filter for updates of these resources.
fn resource_filter(uris: &[&str]) -> String {
    json!({"resourceSubscriptions": uris}).to_string()
}

/// Sends an update of this resource once a client is connected to an event stream.
async fn update(server: &Upstream, uri: &str) {
    server
        .notify_unfiltered(UPDATED, &json!({"uri": uri}).to_string())
        .await;
}

/// The URIs and subscription ids of the updates that the client has received.
fn updates(client: &Client) -> Vec<(String, Value)> {
    let lines = client.received().into_iter();
    let messages = lines.map(|line| serde_json::from_slice::<Value>(&line).unwrap());
    messages
        .filter(|message| message["method"] == UPDATED)
        .map(|mut message| {
            let params = &mut message["params"];
            let uri = params["uri"].as_str().unwrap().to_owned();
            (uri, params["_meta"][SUBSCRIPTION_ID].take())
        })
        .collect()
}

/// The expected value of [`updates`].
fn expected<const N: usize>(updates: [(&str, Value); N]) -> Vec<(String, Value)> {
    updates.map(|(uri, tag)| (uri.to_owned(), tag)).into()
}

/// Returns `true` for a request that subscribes to the resource at a legacy server.
fn subscribes(uri: &str) -> impl Fn(&Request) -> bool {
    move |request| request.is("resources/subscribe") && request.json()["params"]["uri"] == uri
}

/// Returns `true` for a request that unsubscribes from the resource at a legacy server.
fn unsubscribes(uri: &str) -> impl Fn(&Request) -> bool {
    move |request| request.is("resources/unsubscribe") && request.json()["params"]["uri"] == uri
}

/// Returns `true` for the proxy's listen at a modern server with exactly these resources.
fn listens(uris: &[&str]) -> impl Fn(&Request) -> bool {
    let expected: Vec<String> = uris.iter().map(|&uri| uri.to_owned()).collect();
    move |request| {
        if !request.is("subscriptions/listen") {
            return false;
        }
        let mut filter: Value = request.json()["params"]["notifications"].take();
        let uris = filter["resourceSubscriptions"].take();
        let mut uris: Vec<String> = serde_json::from_value(uris).unwrap_or_default();
        uris.sort();
        uris == expected
    }
}

/// The number of requests of this method that the server has received.
fn request_count(server: &Upstream, method: &str) -> usize {
    let requests = server.raw.requests();
    requests.iter().filter(|request| request.is(method)).count()
}

/// Waits until the server has no subscription left, after one to this resource.
async fn wait_for_last_unsubscribe(kind: Kind, server: &Upstream, uri: &str) {
    match kind {
        Kind::Modern => server.raw.wait_for_count(2, listens(&[])).await,
        _ => server.raw.wait_for_count(1, unsubscribes(uri)).await,
    };
}
