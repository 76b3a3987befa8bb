//! Added, removed and changed upstreams, and the notifications to the client.

use serde_json::json;

use crate::reload::{
    ConfigFile, PROMPTS, RELOADED, RESOURCES, TOOLS, notification_count, upstream_entry,
    upstream_with, wait_for_log,
};
use testkit::upstream;

#[tokio::test]
async fn added_and_removed_upstreams_are_notified_once() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let b = upstream::modern().tool("find").start().await;
        let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
        let mut client = file.client(era).await;

        file.write(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
        client.notification(TOOLS).await;
        wait_for_log(&client, RELOADED, 1).await;
        assert_eq!(client.tool_names().await, ["search", "find"], "{era}");
        let found = client.call("find", json!({"x": 1})).await;
        assert!(found["result"].is_object(), "{era}: {found}");

        file.write(&[upstream_entry("b", &b)]);
        client.notification(TOOLS).await;
        wait_for_log(&client, RELOADED, 2).await;
        assert_eq!(client.tool_names().await, ["find"], "{era}");
        let failed = client.call("search", json!({})).await;
        assert!(
            failed["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown tool")
        );
        // The session of the removed upstream is closed.
        a.raw.wait_for(|request| request.method == "DELETE").await;

        assert_eq!(notification_count(&client, TOOLS), 2, "{era}");
        assert_eq!(
            notification_count(&client, PROMPTS) + notification_count(&client, RESOURCES),
            0,
            "{era}"
        );
        assert!(client.close().await.success());
    }
}

#[tokio::test]
async fn several_changes_are_notified_once() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let c = upstream::legacy().tool("look").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
    let mut client = file.legacy_client().await;
    let less = json!({"ignore_tools": ["find"]});
    file.write(&[upstream_with("b", &b, less), upstream_entry("c", &c)]);
    client.notification(TOOLS).await;
    wait_for_log(&client, RELOADED, 1).await;
    assert_eq!(client.tool_names().await, ["look"]);
    assert_eq!(notification_count(&client, TOOLS), 1);
}

#[tokio::test]
async fn changed_url_connects_to_the_new_server_and_ends_the_session() {
    let (old, new) = (upstream::legacy(), upstream::legacy());
    let old = old.tool("search").start().await;
    let new = new.tool("search").tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &old)]);
    let mut client = file.legacy_client().await;
    file.write(&[upstream_entry("a", &new)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "find"]);
    client.call("search", json!({})).await;
    assert_eq!((old.calls().len(), new.calls().len()), (0, 1));
    old.raw.wait_for(|request| request.method == "DELETE").await;
    assert_eq!(old.sessions(), 0);
}

#[tokio::test]
async fn changed_headers_reconnect_without_a_notification() {
    let a = upstream::legacy().tool("search").start().await;
    let key = |key: &str| upstream_with("a", &a, json!({"headers": {"x-key": key}}));
    let file = ConfigFile::with_upstreams(&[key("one")]);
    let mut client = file.legacy_client().await;
    file.write(&[key("two")]);
    wait_for_log(&client, RELOADED, 1).await;
    client.call("search", json!({})).await;
    let called = a.wait_for_request("tools/call").await;
    assert_eq!(called.header("x-key"), Some("two"));
    assert_eq!(a.requests_of("initialize").len(), 2);
    assert_eq!(notification_count(&client, TOOLS), 0);
    assert!(!client.stderr().contains("two"), "{}", client.stderr());
}

#[tokio::test]
async fn new_first_upstream_without_tools_causes_no_notification() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let empty = upstream::legacy().start().await;
        let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
        let mut client = file.client(era).await;
        file.write(&[upstream_entry("empty", &empty), upstream_entry("a", &a)]);
        wait_for_log(&client, RELOADED, 1).await;
        let answer = client.call("search", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!(
            (a.calls().len(), notification_count(&client, TOOLS)),
            (1, 0),
            "{era}"
        );
    }
}

#[tokio::test]
async fn changed_filter_or_prefix_keeps_the_connection() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("get").tool("drop").start().await;
        let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
        let mut client = file.client(era).await;
        file.write(&[upstream_with("a", &a, json!({"ignore_tools": ["drop"]}))]);
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, ["get"]);
        let hidden = client.call("drop", json!({})).await;
        assert!(
            hidden["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown tool")
        );

        file.write(&[upstream_with("a", &a, json!({"prefix": "my"}))]);
        client.notification(TOOLS).await;
        wait_for_log(&client, RELOADED, 2).await;
        assert_eq!(client.tool_names().await.len(), 2);
        assert!(
            client
                .tool_names()
                .await
                .iter()
                .all(|name| name.starts_with("my"))
        );
        assert_eq!(notification_count(&client, TOOLS), 2, "{era}");
        assert_eq!(a.requests_of("initialize").len(), 1, "{era}");
        assert!(a.calls().is_empty());
    }
}

#[tokio::test]
async fn first_upstream_in_the_file_keeps_the_tool_name() {
    let a = upstream::modern().tool("search").start().await;
    let b = upstream::modern().tool("search").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
    let mut client = file.legacy_client().await;
    assert_eq!(client.tool_names().await, ["search", "b__search"]);
    file.write(&[upstream_entry("b", &b), upstream_entry("a", &a)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "a__search"]);
    client.call("search", json!({})).await;
    assert_eq!((a.calls().len(), b.calls().len()), (0, 1));
    // The change of order caused no reconnect.
    assert_eq!(a.requests_of("server/discover").len(), 1);
}

#[tokio::test]
async fn prompts_and_resources_are_notified_if_they_may_have_changed() {
    let prompt = json!({"name": "ask"}).to_string();
    let all = r#"{"tools":{},"prompts":{"listChanged":true},"resources":{}}"#;
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().capabilities(all).tool("search");
        let a = a
            .offers("prompts", [prompt.as_str()])
            .offers("resources", []);
        let a = a.offers("resourceTemplates", []).start().await;
        let b = upstream::legacy().tool("find").start().await;
        let c = upstream::legacy().capabilities(r#"{"tools":{},"prompts":{}}"#);
        let c = c
            .offers("prompts", [r#"{"name":"summarize"}"#])
            .start()
            .await;
        let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
        let mut client = file.client(era).await;
        client.request_in_era("prompts/list", json!({})).await;

        // The new upstream has neither prompts nor resources.
        file.write(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
        client.notification(TOOLS).await;
        wait_for_log(&client, RELOADED, 1).await;
        assert_eq!(
            notification_count(&client, PROMPTS) + notification_count(&client, RESOURCES),
            0,
            "{era}"
        );

        file.write(&[
            upstream_entry("a", &a),
            upstream_entry("b", &b),
            upstream_entry("c", &c),
        ]);
        client.notification(PROMPTS).await;
        let listed = client.request_in_era("prompts/list", json!({})).await;
        assert_eq!(listed["result"]["prompts"].as_array().unwrap().len(), 2);

        file.write(&[upstream_entry("b", &b), upstream_entry("c", &c)]);
        client.notification(PROMPTS).await;
        // The modern client's subscription excludes changes of resources: no upstream sends them.
        if era == "legacy" {
            client.notification(RESOURCES).await;
        }
        let failed = client
            .request_in_era("prompts/get", json!({"name": "ask"}))
            .await;
        assert!(
            failed["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown prompt")
        );
        assert_eq!(notification_count(&client, PROMPTS), 2, "{era}");
    }
}

#[tokio::test]
async fn upstreams_can_be_added_to_an_empty_file() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let file = ConfigFile::with_upstreams(&[]);
        let mut client = file.client(era).await;
        file.write(&[upstream_entry("a", &a)]);
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, ["search"], "{era}");
    }
}

#[tokio::test]
async fn change_before_initialize_opens_no_connection() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.proxy().start().await;
    // A ping opens no connection either. It shows that the proxy runs and polls the file.
    client.request("ping", json!({})).await;
    file.write(&[upstream_entry("b", &b)]);
    wait_for_log(&client, RELOADED, 1).await;
    assert!(a.raw.requests().is_empty() && b.raw.requests().is_empty());
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert!(a.raw.requests().is_empty());
}
