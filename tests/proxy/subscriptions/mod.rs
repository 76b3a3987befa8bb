//! Subscriptions: who asks hears of changes, whatever the eras of client and upstream, and nobody else.

mod ends;
mod filters;
mod listens;
mod refusals;
mod restored;
mod session;
mod shared;
mod sides;

use serde_json::{Value, json};

use testkit::proxy::{Builder as Proxy, Client};
use testkit::raw::Request;
use testkit::upstream::{Builder, Kind, Upstream};

/// The capabilities of a server that announces everything.
const ALL: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}"#;

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const UPDATED: &str = "notifications/resources/updated";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// A server that has this resource, and takes subscriptions.
fn serving(builder: Builder, uri: &str) -> Builder {
    let resource = json!({"uri": uri, "name": "a resource"}).to_string();
    builder
        .capabilities(ALL)
        .offers("prompts", [])
        .offers("resources", [resource.as_str()])
        .offers("resourceTemplates", [])
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}")
}

/// A modern client of one server.
async fn modern(server: &Upstream) -> Client {
    let proxy: Proxy = testkit::proxy::new();
    proxy.upstream("a", server).start().await
}

/// The line of a `subscriptions/listen`; `id` and `filter` are JSON.
fn listen_line(id: &str, filter: &str) -> String {
    let meta = testkit::proxy::with_meta(json!({}))["_meta"].take();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"_meta":{meta},"notifications":{filter}}}}}"#
    )
}

/// Opens a subscription under this id and gives what is acknowledged.
async fn listen(client: &mut Client, id: &str, filter: &str) -> Value {
    client.send_line(listen_line(id, filter)).await;
    let mut acknowledged = client.notification(ACKNOWLEDGED).await;
    let tag: Value = serde_json::from_str(id).unwrap();
    assert_eq!(acknowledged["params"]["_meta"], json!({ TAG: tag }));
    acknowledged["params"]["notifications"].take()
}

/// A filter for updates of these resources.
fn of(uris: &[&str]) -> String {
    json!({"resourceSubscriptions": uris}).to_string()
}

/// Says that a resource was updated, once somebody listens.
async fn update(server: &Upstream, uri: &str) {
    server
        .notify_unfiltered(UPDATED, &json!({"uri": uri}).to_string())
        .await;
}

/// The URIs and the tags of the updates that the client was told of so far.
fn updates(client: &Client) -> Vec<(String, Value)> {
    let lines = client.received().into_iter();
    let messages = lines.map(|line| serde_json::from_slice::<Value>(&line).unwrap());
    messages
        .filter(|message| message["method"] == UPDATED)
        .map(|mut message| {
            let params = &mut message["params"];
            let uri = params["uri"].as_str().unwrap().to_owned();
            (uri, params["_meta"][TAG].take())
        })
        .collect()
}

/// The same with the tags as the test writes them.
fn expected<const N: usize>(updates: [(&str, Value); N]) -> Vec<(String, Value)> {
    updates.map(|(uri, tag)| (uri.to_owned(), tag)).into()
}

/// Whether this asks a legacy server for updates of the resource.
fn subscribes(uri: &str) -> impl Fn(&Request) -> bool {
    move |request| request.is("resources/subscribe") && request.json()["params"]["uri"] == uri
}

/// Whether this ends them.
fn unsubscribes(uri: &str) -> impl Fn(&Request) -> bool {
    move |request| request.is("resources/unsubscribe") && request.json()["params"]["uri"] == uri
}

/// Whether this is our subscription at a modern server, to these resources.
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

/// How many requests of this method came to a server so far.
fn count(server: &Upstream, method: &str) -> usize {
    let requests = server.raw.requests();
    requests.iter().filter(|request| request.is(method)).count()
}

/// Waits until the server was told that the resource is not wanted any more, and nothing is.
async fn wait_for_end(kind: Kind, server: &Upstream, uri: &str) {
    match kind {
        Kind::Modern => server.raw.wait_for_count(2, listens(&[])).await,
        _ => server.raw.wait_for_count(1, unsubscribes(uri)).await,
    };
}
