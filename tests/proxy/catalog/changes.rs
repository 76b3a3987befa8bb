//! Changes of an upstream's tools reach the client: once each, and only if it would see one.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::catalog::kinds;
use testkit::json::text_of;
use testkit::raw::{Reply, Request};
use testkit::{proxy, upstream};

const CHANGED: &str = "notifications/tools/list_changed";

/// How often the client was told so far that the tools have changed.
fn told(client: &proxy::Client) -> usize {
    let lines = client.received();
    let methods = lines.iter().filter_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        message["method"].as_str().map(str::to_owned)
    });
    methods.filter(|method| method == CHANGED).count()
}

fn list(request: &Request) -> bool {
    request.is("tools/list")
}

#[tokio::test]
async fn a_change_is_listed_afresh_and_told_once() {
    for (kind, server) in kinds() {
        let server = server.tool("search").start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        client.wait_for_tools(&["search"]).await;

        for (round, name) in ["find", "fetch", "seek"].into_iter().enumerate() {
            let told_before = told(&client);
            server.set_tools([upstream::tool(name).as_str()]);
            server.list_changed().await;
            client.notification(CHANGED).await;
            assert_eq!(client.tool_names().await, [name], "{kind}");
            let response = client.call(name, json!({})).await;
            assert_eq!(text_of(&response), format!("{name} {{}}"));
            assert_eq!(told(&client), told_before + 1, "{kind}, round {round}");
        }
        assert_eq!(told(&client), 3, "{kind}");
    }
}

#[tokio::test]
async fn a_change_that_the_client_would_not_see_is_not_told() {
    for (kind, server) in kinds() {
        let server = server.tool("search").tool("hidden").start().await;
        let proxy = proxy::new().upstream("a", &server);
        let filter = json!({"ignore_tools": ["hidden*"]});
        let mut client = proxy.extra("a", filter).start().await;
        client.initialize().await;
        client.wait_for_tools(&["search"]).await;

        // Nothing has changed at all.
        server.list_changed().await;
        server.raw.wait_for_count(2, list).await;
        // Something has that is filtered out.
        let (search, hidden) = (upstream::tool("search"), upstream::tool("hidden2"));
        server.set_tools([search.as_str(), &hidden]);
        server.list_changed().await;
        server.raw.wait_for_count(3, list).await;
        // A visible change comes after both, and is the first that is told.
        server.set_tools([upstream::tool("find").as_str()]);
        server.list_changed().await;
        client.notification(CHANGED).await;
        assert_eq!(client.tool_names().await, ["find"], "{kind}");
        assert_eq!(told(&client), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_changed_definition_under_the_same_name_is_told() {
    for (kind, server) in kinds() {
        let server = server.tool("search").start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        client.wait_for_tools(&["search"]).await;

        let schema = json!({"type": "object"});
        let tool = json!({"name": "search", "description": "new", "inputSchema": schema});
        server.set_tools([tool.to_string().as_str()]);
        server.list_changed().await;
        client.notification(CHANGED).await;
        assert_eq!(client.tools().await, [tool], "{kind}");
    }
}

#[tokio::test]
async fn an_upstream_that_comes_late_is_told_once() {
    for (kind, late) in kinds() {
        let early = upstream::legacy().tool("search").start().await;
        let mut late = late.tool("search").tool("late").start().await;
        late.raw.stop().await;
        let proxy = proxy::new().upstream("late", &late).upstream("b", &early);
        let mut client = proxy.start().await;
        client.initialize().await;
        assert_eq!(client.tool_names().await, ["search"], "{kind}");
        assert_eq!(told(&client), 0, "{kind}");

        late.restart();
        client.notification(CHANGED).await;
        // It stands first in the configuration, so the name is its own.
        let names = client.tool_names().await;
        assert_eq!(names, ["search", "late", "b__search"], "{kind}");
        client.call("late", json!({})).await;
        assert_eq!(told(&client), 1, "{kind}");
    }
}

#[tokio::test]
async fn the_tools_of_an_upstream_that_goes_away_stay_listed() {
    for (kind, server) in kinds() {
        let server = server.tool("search").start().await;
        let other = upstream::legacy().tool("search").start().await;
        let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
        let mut client = proxy.start().await;
        client.initialize().await;
        client.wait_for_tools(&["search", "b__search"]).await;

        server.raw.stop().await;
        let response = client.call("search", json!({})).await;
        assert!(response["error"]["code"].is_number(), "{kind}: {response}");
        assert_eq!(client.tool_names().await, ["search", "b__search"], "{kind}");
        let response = client.call("b__search", json!({})).await;
        assert_eq!(text_of(&response), "search {}", "{kind}");
        assert_eq!(told(&client), 0, "{kind}");
    }
}

#[tokio::test]
async fn a_modern_client_that_does_not_listen_is_told_nothing() {
    for (kind, server) in kinds() {
        let server = server.tool("search").start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        assert_eq!(client.tool_names().await, ["search"], "{kind}");

        server.set_tools([upstream::tool("find").as_str()]);
        server.list_changed().await;
        server.raw.wait_for_count(2, list).await;
        // The new name is there once the listing has been read.
        loop {
            if client.tool_names().await == ["find"] {
                break;
            }
            tokio::task::yield_now().await;
        }
        client.call("find", json!({})).await;
        assert_eq!(told(&client), 0, "{kind}");
    }
}

#[tokio::test]
async fn a_client_that_has_not_listed_yet_is_not_told_of_changes() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_stderr("connected").await;
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    server.raw.wait_for_count(2, list).await;

    client.wait_for_tools(&["find"]).await;
    let told = told(&client);
    assert!(told <= 1, "told {told} times");
}

#[tokio::test]
async fn a_list_that_could_not_be_read_is_read_again() {
    for (kind, server) in kinds() {
        let lists = AtomicUsize::new(0);
        let server = server.tool("search").intercept(move |request| {
            let fails = list(request) && lists.fetch_add(1, Ordering::Relaxed) == 1;
            fails.then(|| Reply::status(503))
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        client.wait_for_tools(&["search"]).await;
        server.set_tools([upstream::tool("find").as_str()]);
        server.list_changed().await;
        client.notification(CHANGED).await;
        assert_eq!(client.tool_names().await, ["find"], "{kind}");
    }
}
