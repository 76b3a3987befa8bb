//! Cached prompts, resources and templates, while their server is disconnected and after it reconnects.

use serde_json::json;

use crate::cache::{LIST_METHODS, fill_cache, list_changes, replace_with_hanging, with_all_kinds};
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    cached_lists_are_served_as_written_to_clients_of_both_eras
    changes_since_the_cache_was_written_are_notified_once
}

async fn list(client: &mut Client, method: &str) -> String {
    let id = format!(r#""{method}""#);
    let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#);
    String::from_utf8(client.exchange(line, &id).await).unwrap()
}

async fn cached_lists_are_served_as_written_to_clients_of_both_eras(kind: Kind) {
    let odd = [
        r#"{ "name":"p\u0031", "arguments":[ {"name":"x","required":true} ],"n":1.0e0}"#,
        r#"{"name" : "p2"}"#,
    ];
    let server = with_all_kinds(kind.server())
        .offers("prompts", odd)
        .start()
        .await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy().start().await;
    client.initialize().await;
    client.tools().await;
    let mut first = Vec::new();
    for (method, _) in LIST_METHODS {
        first.push(list(&mut client, method).await);
    }
    assert!(first[0].contains(odd[0]), "{}", first[0]);
    assert!(client.close().await.success());
    let _hanging = replace_with_hanging(&server).await;

    let mut client = proxy().start().await;
    client.initialize().await;
    for ((method, _), first) in LIST_METHODS.iter().zip(&first) {
        assert_eq!(list(&mut client, method).await, *first);
    }
    let mut client = proxy().start().await;
    for ((method, member), first) in LIST_METHODS.iter().zip(&first) {
        let first: serde_json::Value = serde_json::from_str(first).unwrap();
        let listed = client.modern(method, json!({})).await;
        assert_eq!(listed["result"][member], first["result"][member]);
    }
}

async fn changes_since_the_cache_was_written_are_notified_once(kind: Kind) {
    let cases = [
        ("prompts", r#"{"name":"new"}"#, [1, 0]),
        ("resources", r#"{"uri":"x://new"}"#, [0, 1]),
        (
            "resourceTemplates",
            r#"{"uriTemplate":"x://new/{n}"}"#,
            [0, 1],
        ),
        ("nothing", "{}", [0, 0]),
    ];
    for (member, definition, expected) in cases {
        let mut server = with_all_kinds(kind.server()).start().await;
        let home = proxy::home();
        fill_cache(proxy::new().home(&home).upstream("a", &server)).await;
        server.raw.stop().await;
        let proxy = proxy::new().home(&home).upstream("a", &server);
        let mut client = proxy.start().await;
        client.initialize().await;
        for (method, _) in LIST_METHODS {
            list(&mut client, method).await;
        }

        server.set_offers(member, [definition]);
        server.restart();
        // The proxy lists and compares this kind last.
        server.wait_for_request("resources/templates/list").await;
        for (what, expected) in ["prompts", "resources"].iter().zip(expected) {
            if expected > 0 {
                let method = format!("notifications/{what}/list_changed");
                client.notification(&method).await;
            }
        }
        client.call("tool", json!({})).await;
        let now = ["prompts", "resources"].map(|what| list_changes(&client, what));
        assert_eq!(now, expected, "{member}");
        assert_eq!(list_changes(&client, "tools"), 0);
        for (method, listed) in LIST_METHODS {
            let list = list(&mut client, method).await;
            assert_eq!(list.contains(definition), listed == member, "{list}");
        }
    }
}

#[tokio::test]
async fn change_is_notified_on_the_subscription_of_a_modern_client() {
    let mut server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    fill_cache(proxy::new().home(&home).upstream("a", &server)).await;
    server.raw.stop().await;
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    let acknowledged = client.listen(json!({"promptsListChanged": true})).await;
    client.modern("prompts/list", json!({})).await;

    server.set_offers("prompts", []);
    server.restart();
    let mut notification = client
        .notification("notifications/prompts/list_changed")
        .await;
    let key = "io.modelcontextprotocol/subscriptionId";
    let id = &acknowledged["params"]["_meta"][key];
    assert_eq!(notification["params"]["_meta"][key].take(), *id);
    let listed = client.modern("prompts/list", json!({})).await;
    assert_eq!(listed["result"]["prompts"], json!([]));
}

#[tokio::test]
async fn items_of_a_dropped_capability_are_removed() {
    let old = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &old);
    fill_cache(proxy()).await;
    old.raw.stop().await;
    let mut client = proxy().start().await;
    client.initialize().await;
    list(&mut client, "prompts/list").await;

    let new = upstream::legacy().tool("tool").start_at(old.raw.address());
    client
        .notification("notifications/prompts/list_changed")
        .await;
    let listed = client.request_in_era("prompts/list", json!({})).await;
    assert_eq!(listed["result"]["prompts"], json!([]));
    assert!(client.close().await.success());
    new.raw.stop().await;
    let mut client = proxy().start().await;
    let response = client.initialize().await;
    assert!(response["capabilities"]["prompts"].is_null(), "{response}");
    let listed = client.request_in_era("prompts/list", json!({})).await;
    assert_eq!(listed["result"]["prompts"], json!([]));
}

#[tokio::test]
async fn change_notification_invalidates_the_cached_list() {
    let server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy().start().await;
    client.initialize().await;
    client.tools().await;
    for (method, _) in LIST_METHODS {
        list(&mut client, method).await;
    }
    let changed = "notifications/prompts/list_changed";
    server.notify(changed, "{}").await;
    client.notification(changed).await;
    assert!(client.close().await.success());
    let _hanging = replace_with_hanging(&server).await;

    let mut client = proxy().env("PROXY_STARTUP_WAIT", "100ms").start().await;
    client.initialize().await;
    assert!(list(&mut client, "prompts/list").await.contains("[]"));
    assert!(list(&mut client, "resources/list").await.contains("x://1"));
}
