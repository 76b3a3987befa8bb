//! List changes of prompts and resources: the client is notified, and the next request uses the new listing.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::offers::{CAPABILITIES, LISTS, list_items, result_line, with_empty_lists};
use testkit::proxy::{self, Client};
use testkit::raw::{Reply, event};
use testkit::upstream::Kind;
use testkit::{upstream, within};

testkit::per_kind! {
    list_change_reaches_client_once_without_params
    prompt_get_after_list_change_lists_prompts_again
    read_after_list_change_goes_to_the_current_owner
    list_change_without_listen_updates_only_the_routing
}

const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const PROMPT_RESULT: &str = r#"{"resultType":"complete","messages":[]}"#;
const READ_RESULT: &str = r#"{"resultType":"complete","contents":[]}"#;

/// The list changes of prompts and resources that the client has received.
fn list_changes(client: &Client) -> Vec<String> {
    let lines = client.received().into_iter();
    lines
        .map(|request_line| String::from_utf8(request_line).unwrap())
        .filter(|request_line| request_line.contains("list_changed\""))
        .filter(|request_line| request_line.contains("method"))
        .filter(|request_line| !request_line.contains("tools/list_changed"))
        .collect()
}

fn notification_line(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)
}

async fn list_change_reaches_client_once_without_params(kind: Kind) {
    let server = with_empty_lists(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    for (changed, barrier) in [(PROMPTS, RESOURCES), (RESOURCES, PROMPTS)] {
        let before = list_changes(&client).len();
        server.notify(changed, r#"{"_meta":{"x":1}}"#).await;
        client.notification(changed).await;
        // A duplicate of the first notification would arrive before this one.
        server.notify(barrier, "{}").await;
        client.notification(barrier).await;
        let expected = [notification_line(changed), notification_line(barrier)];
        assert_eq!(list_changes(&client)[before..], expected);
    }
}

async fn prompt_get_after_list_change_lists_prompts_again(kind: Kind) {
    let server = with_empty_lists(kind.server()).offers("prompts", [r#"{"name":"old"}"#]);
    let server = server.result("prompts/get", PROMPT_RESULT).start().await;
    let mut client = proxy::before(&server).await;
    let prompts = list_items(&mut client, LISTS[0]).await;
    assert_eq!(prompts, r#"[{"name":"old"}]"#);

    server.set_offers("prompts", [r#"{"name":"new"}"#]);
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    let answer = client
        .exchange_request("prompts/get", r#"{"name":"new"}"#)
        .await;
    assert_eq!(answer, result_line(r#""prompts/get""#, PROMPT_RESULT));
    let old_prompt = client
        .request_in_era("prompts/get", json!({"name": "old"}))
        .await;
    assert_eq!(old_prompt["error"]["code"], -32602);
    assert_eq!(server.requests_of("prompts/list").len(), 2);
}

async fn read_after_list_change_goes_to_the_current_owner(kind: Kind) {
    for (member, definition) in [
        ("resources", r#"{"uri":"x://1"}"#),
        ("resourceTemplates", r#"{"uriTemplate":"x://{n}"}"#),
    ] {
        let first = with_empty_lists(upstream::legacy()).offers(member, [definition]);
        let first = first.result("resources/read", READ_RESULT).start().await;
        let second = with_empty_lists(kind.server()).result("resources/read", READ_RESULT);
        let second = second.start().await;
        let proxy = proxy::new().upstream("a", &first).upstream("b", &second);
        let mut client = proxy.start().await;
        client.initialize().await;
        client
            .exchange_request("resources/read", r#"{"uri":"x://1"}"#)
            .await;

        first.set_offers(member, []);
        second.set_offers(member, [definition]);
        second.notify(RESOURCES, "{}").await;
        client.notification(RESOURCES).await;
        client
            .exchange_request("resources/read", r#"{"uri":"x://1"}"#)
            .await;
        let reads = [&first, &second].map(|server| server.requests_of("resources/read").len());
        assert_eq!(reads, [1, 1], "{member}");
    }
}

#[tokio::test]
async fn list_change_during_a_listing_invalidates_its_result() {
    // The first `prompts/list` is answered through `sender`, later ones at once.
    let (sender, receiver) = mpsc::channel(1);
    let held_body = Arc::new(Mutex::new(Some(receiver)));
    let server = with_empty_lists(upstream::legacy()).offers("prompts", [r#"{"name":"new"}"#]);
    let server =
        server
            .result("prompts/get", PROMPT_RESULT)
            .intercept(move |request| match request.is("prompts/list") {
                true => held_body.lock().unwrap().take().map(Reply::stream),
                false => None,
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

    let answer = client
        .exchange_request("prompts/get", r#"{"name":"new"}"#)
        .await;
    assert_eq!(answer, result_line(r#""prompts/get""#, PROMPT_RESULT));
}

#[tokio::test]
async fn listen_requests_exactly_the_declared_list_changes() {
    for (capabilities, expected) in [
        (
            CAPABILITIES,
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
        let server = with_empty_lists(upstream::modern()).capabilities(capabilities);
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        client.tools().await;
        let listen = |request: &testkit::raw::Request| request.is("subscriptions/listen");
        let mut listen: Value = server.raw.wait_for(listen).await.json();
        let filter = listen["params"]["notifications"].take();
        assert_eq!(filter, expected, "{capabilities}");
    }
}

async fn list_change_without_listen_updates_only_the_routing(kind: Kind) {
    let server = with_empty_lists(kind.server()).offers("prompts", [r#"{"name":"old"}"#]);
    let server = server.result("prompts/get", PROMPT_RESULT).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.modern("prompts/list", json!({})).await;
    server.set_offers("prompts", [r#"{"name":"new"}"#]);
    server.notify(PROMPTS, "{}").await;
    // Until the list change arrives, the new prompt is unknown.
    within("the list change to arrive", async {
        loop {
            let answer = client.modern("prompts/get", json!({"name": "new"})).await;
            if answer["error"].is_null() {
                break;
            }
            assert_eq!(answer["error"]["code"], -32602);
        }
    })
    .await;
    assert_eq!(list_changes(&client), [""; 0]);
}
