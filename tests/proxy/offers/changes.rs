//! Changes of prompts and resources: told to the client, and heeded by the next request.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::offers::{ALL, LISTS, asked, exchange, listed, offering, result_line};
use testkit::proxy::{self, Client};
use testkit::raw::{Reply, event};
use testkit::upstream::Kind;
use testkit::{upstream, within};

testkit::per_kind! {
    a_change_is_told_once_in_our_own_words
    after_a_change_prompts_are_got_by_a_fresh_listing
    after_a_change_resources_are_read_from_who_lists_them_now
    modern_client_without_a_listen_gets_no_news_but_fresh_routes
}

const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const GOT: &str = r#"{"resultType":"complete","messages":[]}"#;
const READ: &str = r#"{"resultType":"complete","contents":[]}"#;

/// The lines so far that are notifications of changes.
fn notifications(client: &Client) -> Vec<String> {
    let lines = client.received().into_iter();
    lines
        .map(|line| String::from_utf8(line).unwrap())
        .filter(|line| line.contains("list_changed\""))
        .filter(|line| line.contains("method"))
        .filter(|line| !line.contains("tools/list_changed"))
        .collect()
}

fn told_line(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)
}

async fn a_change_is_told_once_in_our_own_words(kind: Kind) {
    let server = offering(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    for (changed, barrier) in [(PROMPTS, RESOURCES), (RESOURCES, PROMPTS)] {
        let before = notifications(&client).len();
        server.notify(changed, r#"{"_meta":{"x":1}}"#).await;
        client.notification(changed).await;
        // What comes of it a second time would come before this.
        server.notify(barrier, "{}").await;
        client.notification(barrier).await;
        let expected = [told_line(changed), told_line(barrier)];
        assert_eq!(notifications(&client)[before..], expected);
    }
}

async fn after_a_change_prompts_are_got_by_a_fresh_listing(kind: Kind) {
    let server = offering(kind.server()).offers("prompts", [r#"{"name":"old"}"#]);
    let server = server.result("prompts/get", GOT).start().await;
    let mut client = proxy::before(&server).await;
    let found = listed(&mut client, LISTS[0]).await;
    assert_eq!(found, r#"[{"name":"old"}]"#);

    server.set_offers("prompts", [r#"{"name":"new"}"#]);
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    let answer = exchange(&mut client, "prompts/get", r#"{"name":"new"}"#).await;
    assert_eq!(answer, result_line(r#""prompts/get""#, GOT));
    let gone = client
        .request_in_era("prompts/get", json!({"name": "old"}))
        .await;
    assert_eq!(gone["error"]["code"], -32602);
    assert_eq!(asked(&server, "prompts/list").len(), 2);
}

async fn after_a_change_resources_are_read_from_who_lists_them_now(kind: Kind) {
    for (member, definition) in [
        ("resources", r#"{"uri":"x://1"}"#),
        ("resourceTemplates", r#"{"uriTemplate":"x://{n}"}"#),
    ] {
        let first = offering(upstream::legacy()).offers(member, [definition]);
        let first = first.result("resources/read", READ).start().await;
        let second = offering(kind.server()).result("resources/read", READ);
        let second = second.start().await;
        let proxy = proxy::new().upstream("a", &first).upstream("b", &second);
        let mut client = proxy.start().await;
        client.initialize().await;
        exchange(&mut client, "resources/read", r#"{"uri":"x://1"}"#).await;

        first.set_offers(member, []);
        second.set_offers(member, [definition]);
        second.notify(RESOURCES, "{}").await;
        client.notification(RESOURCES).await;
        exchange(&mut client, "resources/read", r#"{"uri":"x://1"}"#).await;
        let reads = [&first, &second].map(|server| asked(server, "resources/read").len());
        assert_eq!(reads, [1, 1], "{member}");
    }
}

#[tokio::test]
async fn a_change_during_a_listing_is_heeded_by_the_next_request() {
    // The first listing is answered when the test says so.
    let (sender, receiver) = mpsc::channel(1);
    let held = Arc::new(Mutex::new(Some(receiver)));
    let server = offering(upstream::legacy()).offers("prompts", [r#"{"name":"new"}"#]);
    let server = server.result("prompts/get", GOT).intercept(move |request| {
        match request.is("prompts/list") {
            true => held.lock().unwrap().take().map(Reply::stream),
            false => None,
        }
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let id = client.send_request("prompts/list", json!({})).await;
    let request = server.raw.wait_for(|r| r.is("prompts/list")).await;
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    let old = json!({"prompts": [{"name": "old"}]});
    let answer = json!({"jsonrpc": "2.0", "id": request.json()["id"], "result": old});
    let answer = event(answer.to_string()).into();
    sender.send(answer).await.unwrap();
    assert_eq!(client.response(id).await["result"], old);

    let answer = exchange(&mut client, "prompts/get", r#"{"name":"new"}"#).await;
    assert_eq!(answer, result_line(r#""prompts/get""#, GOT));
}

#[tokio::test]
async fn a_modern_upstream_is_asked_for_the_changes_that_it_announces() {
    for (capabilities, expected) in [
        (
            ALL,
            json!({"promptsListChanged": true, "resourcesListChanged": true}),
        ),
        (
            r#"{"prompts":{"listChanged":true},"resources":{"listChanged":false}}"#,
            json!({"promptsListChanged": true}),
        ),
        (
            r#"{"tools":{"listChanged":true},"resources":{"listChanged":true},"prompts":{}}"#,
            json!({"toolsListChanged": true, "resourcesListChanged": true}),
        ),
    ] {
        let server = offering(upstream::modern()).capabilities(capabilities);
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        client.tools().await;
        let listen = |request: &testkit::raw::Request| request.is("subscriptions/listen");
        let mut listen: Value = server.raw.wait_for(listen).await.json();
        let subscribed = listen["params"]["notifications"].take();
        assert_eq!(subscribed, expected, "{capabilities}");
    }
}

async fn modern_client_without_a_listen_gets_no_news_but_fresh_routes(kind: Kind) {
    let server = offering(kind.server()).offers("prompts", [r#"{"name":"old"}"#]);
    let server = server.result("prompts/get", GOT).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.modern("prompts/list", json!({})).await;
    server.set_offers("prompts", [r#"{"name":"new"}"#]);
    server.notify(PROMPTS, "{}").await;
    // Until the change has been heard, the prompt is not known.
    within("the change to be heard", async {
        loop {
            let answer = client.modern("prompts/get", json!({"name": "new"})).await;
            if answer["error"].is_null() {
                break;
            }
            assert_eq!(answer["error"]["code"], -32602);
        }
    })
    .await;
    assert_eq!(notifications(&client), [""; 0]);
}
