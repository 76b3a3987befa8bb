//! A change of an upstream's tools sends the client one notification, if its catalog changes.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use testkit::json::text_of;
use testkit::raw::{Reply, Request};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    tool_change_is_listed_and_notified_once
    invisible_change_sends_no_notification
    changed_definition_sends_a_notification
    late_upstream_sends_one_notification
    tools_of_a_disconnected_upstream_stay_listed
    modern_client_without_subscription_gets_no_notification
    failed_tools_list_is_retried
}

const CHANGED: &str = "notifications/tools/list_changed";

/// The number of list change notifications that the client has received.
fn notification_count(client: &proxy::Client) -> usize {
    let lines = client.received();
    let methods = lines.iter().filter_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        message["method"].as_str().map(str::to_owned)
    });
    methods.filter(|method| method == CHANGED).count()
}

fn is_tools_list(request: &Request) -> bool {
    request.is("tools/list")
}

async fn tool_change_is_listed_and_notified_once(kind: Kind) {
    let server = kind.server().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    for (round, name) in ["find", "fetch", "seek"].into_iter().enumerate() {
        let notifications_before = notification_count(&client);
        server.set_tools([upstream::tool(name).as_str()]);
        server.list_changed().await;
        client.notification(CHANGED).await;
        assert_eq!(client.tool_names().await, [name]);
        let response = client.call(name, json!({})).await;
        assert_eq!(text_of(&response), format!("{name} {{}}"));
        assert_eq!(
            notification_count(&client),
            notifications_before + 1,
            "round {round}"
        );
    }
    assert_eq!(notification_count(&client), 3);
}

async fn invisible_change_sends_no_notification(kind: Kind) {
    let server = kind.server().tool("search").tool("hidden").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let filter = json!({"ignore_tools": ["hidden*"]});
    let mut client = proxy.extra("a", filter).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    // The server notifies without a change.
    server.list_changed().await;
    server.raw.wait_for_count(2, is_tools_list).await;
    // A tool changes that the configuration filters out.
    let (search, hidden) = (upstream::tool("search"), upstream::tool("hidden2"));
    server.set_tools([search.as_str(), &hidden]);
    server.list_changed().await;
    server.raw.wait_for_count(3, is_tools_list).await;
    // A visible change comes after both, and sends the first notification.
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    client.notification(CHANGED).await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert_eq!(notification_count(&client), 1);
}

async fn changed_definition_sends_a_notification(kind: Kind) {
    let server = kind.server().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    let schema = json!({"type": "object"});
    let tool = json!({"name": "search", "description": "new", "inputSchema": schema});
    server.set_tools([tool.to_string().as_str()]);
    server.list_changed().await;
    client.notification(CHANGED).await;
    assert_eq!(client.tools().await, [tool]);
}

async fn late_upstream_sends_one_notification(kind: Kind) {
    let late = kind.server();
    let early = upstream::legacy().tool("search").start().await;
    let mut late = late.tool("search").tool("late").start().await;
    late.raw.stop().await;
    let proxy = proxy::new().upstream("late", &late).upstream("b", &early);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["search"]);
    assert_eq!(notification_count(&client), 0);

    late.restart();
    client.notification(CHANGED).await;
    // The late upstream is first in the configuration, so it owns the name.
    let names = client.tool_names().await;
    assert_eq!(names, ["search", "late", "b__search"]);
    client.call("late", json!({})).await;
    assert_eq!(notification_count(&client), 1);
}

async fn tools_of_a_disconnected_upstream_stay_listed(kind: Kind) {
    let server = kind.server().tool("search").start().await;
    let other = upstream::legacy().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
    let mut client = proxy.start().await;
    client.initialize().await;
    client.wait_for_tools(&["search", "b__search"]).await;

    server.raw.stop().await;
    let response = client.call("search", json!({})).await;
    assert!(response["error"]["code"].is_number(), "{response}");
    assert_eq!(client.tool_names().await, ["search", "b__search"]);
    let response = client.call("b__search", json!({})).await;
    assert_eq!(text_of(&response), "search {}");
    assert_eq!(notification_count(&client), 0);
}

async fn modern_client_without_subscription_gets_no_notification(kind: Kind) {
    let server = kind.server().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, ["search"]);

    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    server.raw.wait_for_count(2, is_tools_list).await;
    // The new name appears when the proxy has read the listing.
    loop {
        if client.tool_names().await == ["find"] {
            break;
        }
        tokio::task::yield_now().await;
    }
    client.call("find", json!({})).await;
    assert_eq!(notification_count(&client), 0);
}

#[tokio::test]
async fn change_before_the_first_list_sends_at_most_one_notification() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_stderr("connected").await;
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    server.raw.wait_for_count(2, is_tools_list).await;

    client.wait_for_tools(&["find"]).await;
    let notifications = notification_count(&client);
    assert!(notifications <= 1, "{notifications} notifications");
}

async fn failed_tools_list_is_retried(kind: Kind) {
    let server = kind.server();
    let lists = AtomicUsize::new(0);
    let server = server.tool("search").intercept(move |request| {
        let fails = is_tools_list(request) && lists.fetch_add(1, Ordering::Relaxed) == 1;
        fails.then(|| Reply::status(503))
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;
    server.set_tools([upstream::tool("find").as_str()]);
    server.list_changed().await;
    client.notification(CHANGED).await;
    assert_eq!(client.tool_names().await, ["find"]);
}
