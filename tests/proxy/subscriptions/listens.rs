//! `subscriptions/listen` of a modern client.
//!
//! The acknowledgement comes first. The notifications that the client requested follow, in the
//! server's bytes and with the client's subscription id.

use serde_json::json;

use crate::subscriptions::{
    ACKNOWLEDGED, CAPABILITIES, PROMPTS, RESOURCES, SUBSCRIPTION_ID, TOOLS, UPDATED, expected,
    listen, listen_line, listens, modern_client, resource_filter, server_with_resource, subscribes,
    update, updates,
};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::Request;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    acknowledgement_comes_first_and_lists_the_accepted_filter
    update_gets_the_subscription_id_and_passes_byte_for_byte
    each_listen_receives_only_what_it_requested
    tool_change_reaches_a_client_that_never_listed_tools
    changes_that_no_server_declares_are_not_acknowledged
}

async fn acknowledgement_comes_first_and_lists_the_accepted_filter(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = modern_client(&server).await;
    let filter = r#"{"resourceSubscriptions":["x:\/\/1"],"toolsListChanged":true,"promptsListChanged":false,"unknown":true}"#;
    client.send_line(listen_line(r#""\u0061""#, filter)).await;
    let first = String::from_utf8(client.next_line().await).unwrap();
    let expected = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"\u0061"},"notifications":{"resourceSubscriptions":["x://1"],"toolsListChanged":true}}}"#;
    assert_eq!(first, expected);
    // The server has received the subscription before the acknowledgement.
    let is_subscribed = match kind {
        Kind::Modern => server.raw.requests().iter().any(listens(&["x://1"])),
        _ => server.raw.requests().iter().any(subscribes("x://1")),
    };
    assert!(is_subscribed);
}

#[tokio::test]
async fn listen_without_resources_waits_for_no_server() {
    let hanging = testkit::raw::server(|_| async { testkit::raw::Reply::hang() });
    let mut client = proxy::new().upstream("a", &hanging).start().await;
    let acknowledged = listen(&mut client, "1", r#"{"resourcesListChanged":true}"#).await;
    assert_eq!(acknowledged, json!({"resourcesListChanged": true}));
}

async fn update_gets_the_subscription_id_and_passes_byte_for_byte(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").tool("talk");
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
    let mut client = modern_client(&server).await;
    listen(&mut client, "1.50", &resource_filter(&["x://1"])).await;
    let params = proxy::with_meta(json!({"name": "talk"})).to_string();
    client.send_line(call_line("9", &params)).await;
    for params in [
        r#"{"_meta":{"TAG":1.50},"n":1E2, "uri":"x:\/\/1"}"#,
        r#"{"uri":"x://1","_meta":{ "TAG":1.50,"y":[1.0] }}"#,
        r#"{"_meta":{"TAG":1.50,"y":2},"uri":"x://1"}"#,
    ] {
        let params = match params.contains("[1.0]") {
            // The subscription id is inserted right after the brace.
            true => params.replace("{ \"TAG\":1.50,", "{\"TAG\":1.50, "),
            false => params.to_owned(),
        };
        let params = params.replace("TAG", SUBSCRIPTION_ID);
        let line = format!(r#"{{"method":"{UPDATED}","params":{params}, "jsonrpc":"2.0"}}"#);
        let notification = String::from_utf8(client.next_line().await).unwrap();
        assert_eq!(notification, line);
    }
}

async fn each_listen_receives_only_what_it_requested(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = modern_client(&server).await;
    listen(&mut client, r#""p""#, r#"{"promptsListChanged":true}"#).await;
    listen(&mut client, r#""r""#, r#"{"resourcesListChanged":true}"#).await;
    listen(&mut client, r#""u""#, &resource_filter(&["x://1"])).await;
    listen(&mut client, r#""all""#, r#"{"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["x://1"]}"#).await;
    for (method, id) in [(PROMPTS, "p"), (RESOURCES, "r"), (UPDATED, "u")] {
        server.notify(method, r#"{"uri":"x://1"}"#).await;
        for id in [id, "all"] {
            let line = client.next_line().await;
            let notification: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(notification["method"], method);
            assert_eq!(notification["params"]["_meta"][SUBSCRIPTION_ID], id);
        }
    }
}

async fn tool_change_reaches_a_client_that_never_listed_tools(kind: Kind) {
    let other = upstream::legacy().tool("other").start().await;
    let server = server_with_resource(kind.server(), "x://1")
        .tool("search")
        .start()
        .await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
    let mut client = proxy.start().await;
    listen(&mut client, "[1]", r#"{"toolsListChanged":true}"#).await;
    // A call waits for the initial listing, so the change below comes after it.
    client.call("search", json!({})).await;
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    let notification = client.notification(TOOLS).await;
    assert_eq!(
        notification["params"],
        json!({"_meta": {SUBSCRIPTION_ID: [1]}})
    );
    client.call("find", json!({})).await;
}

#[tokio::test]
async fn one_listen_receives_updates_of_several_upstreams() {
    let uris = ["x://legacy", "x://modern", "x://http_sse"];
    let mut servers = Vec::new();
    for (kind, uri) in Kind::ALL.into_iter().zip(uris) {
        servers.push(server_with_resource(kind.server(), uri).start().await);
    }
    let mut proxy = proxy::new();
    for (name, server) in ["a", "b", "c"].iter().zip(&servers) {
        proxy = proxy.upstream(name, server);
    }
    let mut client = proxy.start().await;
    let acknowledged = listen(&mut client, "1", &resource_filter(&uris)).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": uris}));
    for (server, uri) in servers.iter().zip(uris) {
        update(server, uri).await;
        client.notification(UPDATED).await;
    }
    // The proxy drops an update of a resource that it did not subscribe to at this server.
    update(&servers[0], uris[1]).await;
    update(&servers[0], uris[0]).await;
    client.notification(UPDATED).await;
    let [legacy, modern, http_sse] = uris;
    let notifications = [legacy, modern, http_sse, legacy].map(|uri| (uri, json!(1)));
    assert_eq!(updates(&client), expected(notifications));
}

#[tokio::test]
async fn earlier_changes_are_sent_after_the_acknowledgement() {
    let gate = Gate::closed();
    let held = |request: &Request| request.is("resources/subscribe");
    let server = server_with_resource(upstream::legacy(), "x://1").holding(&gate, held);
    let server = server.start().await;
    let mut client = modern_client(&server).await;
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
    let methods = lines.iter().map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION_ID], 2, "{line}");
        line["method"].as_str().unwrap().to_owned()
    });
    let methods: Vec<_> = methods.collect();
    assert_eq!(methods, [ACKNOWLEDGED, UPDATED, PROMPTS, PROMPTS]);
}

#[tokio::test]
async fn changes_arrive_while_a_modern_subscription_is_replaced() {
    let gate = Gate::closed();
    let held = |request: &Request| listens(&["x://1"])(request);
    let server = server_with_resource(upstream::modern(), "x://1").holding(&gate, held);
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    listen(&mut client, "1", r#"{"promptsListChanged":true}"#).await;
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    client
        .send_line(listen_line("2", &resource_filter(&["x://1"])))
        .await;
    server.raw.wait_for(held).await;
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    let disconnects = server.raw.disconnects();
    assert!(
        !disconnects.iter().any(listens(&[])),
        "the old event stream was closed first"
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

async fn changes_that_no_server_declares_are_not_acknowledged(kind: Kind) {
    let all = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#;
    let without = CAPABILITIES.replacen(r#""prompts":{"listChanged":true}"#, r#""prompts":{}"#, 1);
    assert_ne!(without, CAPABILITIES);
    let server = server_with_resource(kind.server(), "x://1").capabilities(&without);
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    client.tools().await;
    let acknowledged = listen(&mut client, "1000", all).await;
    let expected = json!({"toolsListChanged": true, "resourcesListChanged": true});
    assert_eq!(acknowledged, expected);
}
