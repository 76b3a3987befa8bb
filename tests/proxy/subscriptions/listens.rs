//! `subscriptions/listen` of a modern client: acknowledged first, and then told what it asked for, in
//! the server's bytes and under its own id.

use serde_json::json;

use crate::subscriptions::{
    ACKNOWLEDGED, ALL, PROMPTS, RESOURCES, TAG, TOOLS, UPDATED, expected, listen, listen_line,
    listens, modern, of, serving, subscribes, update, updates,
};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::Request;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    the_first_that_a_listen_hears_is_what_is_honoured_of_it
    a_notification_is_tagged_and_otherwise_passes_byte_for_byte
    each_listen_hears_what_it_asked_for_and_nothing_else
    a_change_of_tools_is_told_to_a_client_that_never_listed_any
    changes_that_no_server_announces_are_not_acknowledged
}

async fn the_first_that_a_listen_hears_is_what_is_honoured_of_it(kind: Kind) {
    let server = serving(kind.server(), "x://1").start().await;
    let mut client = modern(&server).await;
    let filter = r#"{"resourceSubscriptions":["x:\/\/1"],"toolsListChanged":true,"promptsListChanged":false,"ours":true}"#;
    client.send_line(listen_line(r#""\u0061""#, filter)).await;
    let first = String::from_utf8(client.next_line().await).unwrap();
    let expected = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"\u0061"},"notifications":{"resourceSubscriptions":["x://1"],"toolsListChanged":true}}}"#;
    assert_eq!(first, expected);
    // The server has taken it by then.
    let asked = match kind {
        Kind::Modern => server.raw.requests().iter().any(listens(&["x://1"])),
        _ => server.raw.requests().iter().any(subscribes("x://1")),
    };
    assert!(asked);
}

#[tokio::test]
async fn a_listen_without_resources_waits_for_nobody() {
    let silent = testkit::raw::server(|_| async { testkit::raw::Reply::hang() });
    let mut client = proxy::new().upstream("a", &silent).start().await;
    let acknowledged = listen(&mut client, "1", r#"{"resourcesListChanged":true}"#).await;
    assert_eq!(acknowledged, json!({"resourcesListChanged": true}));
}

async fn a_notification_is_tagged_and_otherwise_passes_byte_for_byte(kind: Kind) {
    let server = serving(kind.server(), "x://1").tool("talk");
    let server = server.on_call(|call| async move {
        for params in [
            r#"{"n":1E2, "uri":"x:\/\/1"}"#,
            r#"{"uri":"x://1","_meta":{ "y":[1.0] }}"#,
            r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":7,"y":2},"uri":"x://1"}"#,
        ] {
            let method = UPDATED;
            let line = format!(r#"{{"method":"{method}","params":{params}, "jsonrpc":"2.0"}}"#);
            call.send(line).await;
        }
        br#"{"content":[],"resultType":"complete"}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = modern(&server).await;
    listen(&mut client, "1.50", &of(&["x://1"])).await;
    let params = proxy::with_meta(json!({"name": "talk"})).to_string();
    client.send_line(call_line("9", &params)).await;
    for params in [
        r#"{"_meta":{"TAG":1.50},"n":1E2, "uri":"x:\/\/1"}"#,
        r#"{"uri":"x://1","_meta":{ "TAG":1.50,"y":[1.0] }}"#,
        r#"{"_meta":{"TAG":1.50,"y":2},"uri":"x://1"}"#,
    ] {
        let params = match params.contains("[1.0]") {
            // It goes right after the brace.
            true => params.replace("{ \"TAG\":1.50,", "{\"TAG\":1.50, "),
            false => params.to_owned(),
        };
        let params = params.replace("TAG", TAG);
        let line = format!(r#"{{"method":"{UPDATED}","params":{params}, "jsonrpc":"2.0"}}"#);
        let notification = String::from_utf8(client.next_line().await).unwrap();
        assert_eq!(notification, line);
    }
}

async fn each_listen_hears_what_it_asked_for_and_nothing_else(kind: Kind) {
    let server = serving(kind.server(), "x://1").start().await;
    let mut client = modern(&server).await;
    listen(&mut client, r#""p""#, r#"{"promptsListChanged":true}"#).await;
    listen(&mut client, r#""r""#, r#"{"resourcesListChanged":true}"#).await;
    listen(&mut client, r#""u""#, &of(&["x://1"])).await;
    listen(&mut client, r#""all""#, r#"{"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["x://1"]}"#).await;
    for (method, id) in [(PROMPTS, "p"), (RESOURCES, "r"), (UPDATED, "u")] {
        server.notify(method, r#"{"uri":"x://1"}"#).await;
        for id in [id, "all"] {
            let line = client.next_line().await;
            let notification: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(notification["method"], method);
            assert_eq!(notification["params"]["_meta"][TAG], id);
        }
    }
}

async fn a_change_of_tools_is_told_to_a_client_that_never_listed_any(kind: Kind) {
    let other = upstream::legacy().tool("other").start().await;
    let server = serving(kind.server(), "x://1").tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
    let mut client = proxy.start().await;
    listen(&mut client, "[1]", r#"{"toolsListChanged":true}"#).await;
    // The proxy has what there was before: a call waits for that.
    client.call("search", json!({})).await;
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    let notification = client.notification(TOOLS).await;
    assert_eq!(notification["params"], json!({"_meta": {TAG: [1]}}));
    client.call("find", json!({})).await;
}

#[tokio::test]
async fn one_listen_hears_of_several_upstreams() {
    let uris = ["x://legacy", "x://modern", "x://http_sse"];
    let mut servers = Vec::new();
    for (kind, uri) in Kind::ALL.into_iter().zip(uris) {
        servers.push(serving(kind.server(), uri).start().await);
    }
    let mut proxy = proxy::new();
    for (name, server) in ["a", "b", "c"].iter().zip(&servers) {
        proxy = proxy.upstream(name, server);
    }
    let mut client = proxy.start().await;
    let acknowledged = listen(&mut client, "1", &of(&uris)).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": uris}));
    for (server, uri) in servers.iter().zip(uris) {
        update(server, uri).await;
        client.notification(UPDATED).await;
    }
    // What a server says of another's resource is nothing that anybody asked it for.
    update(&servers[0], uris[1]).await;
    update(&servers[0], uris[0]).await;
    client.notification(UPDATED).await;
    let [legacy, modern, http_sse] = uris;
    let notification = [legacy, modern, http_sse, legacy].map(|uri| (uri, json!(1)));
    assert_eq!(updates(&client), expected(notification));
}

#[tokio::test]
async fn what_happens_before_the_acknowledgement_is_told_after_it() {
    let gate = Gate::closed();
    let held = |request: &Request| request.is("resources/subscribe");
    let server = serving(upstream::legacy(), "x://1").holding(&gate, held);
    let server = server.start().await;
    let mut client = modern(&server).await;
    listen(&mut client, "1", r#"{"promptsListChanged":true}"#).await;
    let filter = r#"{"promptsListChanged":true,"resourceSubscriptions":["x://1"]}"#;
    client.send_line(listen_line("2", filter)).await;
    server.raw.wait_for(held).await;
    update(&server, "x://1").await;
    update(&server, "x://2").await;
    for _ in 0..2 {
        server.notify(PROMPTS, "{}").await;
        client.notification(PROMPTS).await;
    }
    let before = client.received().len();
    gate.open();
    while client.received().len() < before + 4 {
        client.next_line().await;
    }
    let lines = client.received().split_off(before);
    let notification = lines.iter().map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["params"]["_meta"][TAG], 2, "{line}");
        line["method"].as_str().unwrap().to_owned()
    });
    let notification: Vec<_> = notification.collect();
    assert_eq!(notification, [ACKNOWLEDGED, UPDATED, PROMPTS, PROMPTS]);
}

#[tokio::test]
async fn a_modern_server_is_heard_while_its_subscription_is_changed() {
    let gate = Gate::closed();
    let held = |request: &Request| listens(&["x://1"])(request);
    let server = serving(upstream::modern(), "x://1").holding(&gate, held);
    let server = server.start().await;
    let mut client = modern(&server).await;
    listen(&mut client, "1", r#"{"promptsListChanged":true}"#).await;
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    client.send_line(listen_line("2", &of(&["x://1"]))).await;
    server.raw.wait_for(held).await;
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    let left = server.raw.disconnects();
    assert!(
        !left.iter().any(listens(&[])),
        "the old one was closed first"
    );
    gate.open();
    client.notification(ACKNOWLEDGED).await;
    loop {
        if listens(&[])(&server.raw.wait_for_disconnect().await) {
            break;
        }
    }
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    assert_eq!(updates(&client), expected([("x://1", json!(2))]));
}

async fn changes_that_no_server_announces_are_not_acknowledged(kind: Kind) {
    let all = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#;
    let without = ALL.replacen(r#""prompts":{"listChanged":true}"#, r#""prompts":{}"#, 1);
    assert_ne!(without, ALL);
    let server = serving(kind.server(), "x://1").capabilities(&without);
    let server = server.start().await;
    let mut client = modern(&server).await;
    client.tools().await;
    let honoured = listen(&mut client, "1000", all).await;
    let expected = json!({"toolsListChanged": true, "resourcesListChanged": true});
    assert_eq!(honoured, expected);
}
