//! What is added, removed and changed, and how the client hears of it.

use serde_json::json;

use crate::reload::{DONE, File, PROMPTS, RESOURCES, TOOLS, entry, entry_with, said, told};
use testkit::upstream;

#[tokio::test]
async fn what_is_added_or_removed_is_there_or_gone_and_told_once() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let b = upstream::modern().tool("find").start().await;
        let file = File::of(&[entry("a", &a)]);
        let mut client = file.client(era).await;

        file.write(&[entry("a", &a), entry("b", &b)]);
        client.notification(TOOLS).await;
        said(&client, DONE, 1).await;
        assert_eq!(client.tool_names().await, ["search", "find"], "{era}");
        let found = client.call("find", json!({"x": 1})).await;
        assert!(found["result"].is_object(), "{era}: {found}");

        file.write(&[entry("b", &b)]);
        client.notification(TOOLS).await;
        said(&client, DONE, 2).await;
        assert_eq!(client.tool_names().await, ["find"], "{era}");
        let gone = client.call("search", json!({})).await;
        assert!(
            gone["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown tool")
        );
        // Its session is closed.
        a.raw.wait_for(|request| request.method == "DELETE").await;

        assert_eq!(told(&client, TOOLS), 2, "{era}");
        assert_eq!(
            told(&client, PROMPTS) + told(&client, RESOURCES),
            0,
            "{era}"
        );
        assert!(client.close().await.success());
    }
}

#[tokio::test]
async fn several_changes_at_once_are_told_once() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let c = upstream::legacy().tool("look").start().await;
    let file = File::of(&[entry("a", &a), entry("b", &b)]);
    let mut client = file.legacy().await;
    let less = json!({"ignore_tools": ["find"]});
    file.write(&[entry_with("b", &b, less), entry("c", &c)]);
    client.notification(TOOLS).await;
    said(&client, DONE, 1).await;
    assert_eq!(client.tool_names().await, ["look"]);
    assert_eq!(told(&client, TOOLS), 1);
}

#[tokio::test]
async fn another_url_leads_elsewhere_and_ends_the_old_session() {
    let (old, new) = (upstream::legacy(), upstream::legacy());
    let old = old.tool("search").start().await;
    let new = new.tool("search").tool("find").start().await;
    let file = File::of(&[entry("a", &old)]);
    let mut client = file.legacy().await;
    file.write(&[entry("a", &new)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "find"]);
    client.call("search", json!({})).await;
    assert_eq!((old.calls().len(), new.calls().len()), (0, 1));
    old.raw.wait_for(|request| request.method == "DELETE").await;
    assert_eq!(old.sessions(), 0);
}

#[tokio::test]
async fn changed_headers_get_a_new_connection_and_equal_tools_no_news() {
    let a = upstream::legacy().tool("search").start().await;
    let key = |key: &str| entry_with("a", &a, json!({"headers": {"x-key": key}}));
    let file = File::of(&[key("one")]);
    let mut client = file.legacy().await;
    file.write(&[key("two")]);
    said(&client, DONE, 1).await;
    client.call("search", json!({})).await;
    let called = a.asked("tools/call").await;
    assert_eq!(called.header("x-key"), Some("two"));
    assert_eq!(a.asks("initialize").len(), 2);
    assert_eq!(told(&client, TOOLS), 0);
    assert!(!client.stderr().contains("two"), "{}", client.stderr());
}

#[tokio::test]
async fn an_upstream_without_tools_before_the_others_is_no_news() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let empty = upstream::legacy().start().await;
        let file = File::of(&[entry("a", &a)]);
        let mut client = file.client(era).await;
        file.write(&[entry("empty", &empty), entry("a", &a)]);
        said(&client, DONE, 1).await;
        let answer = client.call("search", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!((a.calls().len(), told(&client, TOOLS)), (1, 0), "{era}");
    }
}

#[tokio::test]
async fn another_filter_or_prefix_takes_effect_by_the_same_connection() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("get").tool("drop").start().await;
        let file = File::of(&[entry("a", &a)]);
        let mut client = file.client(era).await;
        file.write(&[entry_with("a", &a, json!({"ignore_tools": ["drop"]}))]);
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, ["get"]);
        let hidden = client.call("drop", json!({})).await;
        assert!(
            hidden["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown tool")
        );

        file.write(&[entry_with("a", &a, json!({"prefix": "my"}))]);
        client.notification(TOOLS).await;
        said(&client, DONE, 2).await;
        assert_eq!(client.tool_names().await.len(), 2);
        assert!(
            client
                .tool_names()
                .await
                .iter()
                .all(|name| name.starts_with("my"))
        );
        assert_eq!(told(&client, TOOLS), 2, "{era}");
        assert_eq!(a.asks("initialize").len(), 1, "{era}");
        assert!(a.calls().is_empty());
    }
}

#[tokio::test]
async fn the_first_in_the_file_keeps_the_name() {
    let a = upstream::modern().tool("search").start().await;
    let b = upstream::modern().tool("search").start().await;
    let file = File::of(&[entry("a", &a), entry("b", &b)]);
    let mut client = file.legacy().await;
    assert_eq!(client.tool_names().await, ["search", "b__search"]);
    file.write(&[entry("b", &b), entry("a", &a)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "a__search"]);
    client.call("search", json!({})).await;
    assert_eq!((a.calls().len(), b.calls().len()), (0, 1));
    // Nobody has noticed.
    assert_eq!(a.asks("server/discover").len(), 1);
}

#[tokio::test]
async fn prompts_and_resources_are_announced_if_maybe_changed() {
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
        let c = c.offers("prompts", [r#"{"name":"tell"}"#]).start().await;
        let file = File::of(&[entry("a", &a)]);
        let mut client = file.client(era).await;
        client.ask("prompts/list", json!({})).await;

        // It has neither.
        file.write(&[entry("a", &a), entry("b", &b)]);
        client.notification(TOOLS).await;
        said(&client, DONE, 1).await;
        assert_eq!(
            told(&client, PROMPTS) + told(&client, RESOURCES),
            0,
            "{era}"
        );

        file.write(&[entry("a", &a), entry("b", &b), entry("c", &c)]);
        client.notification(PROMPTS).await;
        let listed = client.ask("prompts/list", json!({})).await;
        assert_eq!(listed["result"]["prompts"].as_array().unwrap().len(), 2);

        file.write(&[entry("b", &b), entry("c", &c)]);
        client.notification(PROMPTS).await;
        let heard = match era {
            "legacy" => client.notification(RESOURCES).await,
            // Its listen was told that none of them announces resources' list.
            _ => json!(null),
        };
        drop(heard);
        let gone = client.ask("prompts/get", json!({"name": "ask"})).await;
        assert!(
            gone["error"]["message"]
                .as_str()
                .unwrap()
                .contains("unknown prompt")
        );
        assert_eq!(told(&client, PROMPTS), 2, "{era}");
    }
}

#[tokio::test]
async fn an_empty_file_gets_its_upstreams_later() {
    for era in ["legacy", "modern"] {
        let a = upstream::legacy().tool("search").start().await;
        let file = File::of(&[]);
        let mut client = file.client(era).await;
        file.write(&[entry("a", &a)]);
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, ["search"], "{era}");
    }
}

#[tokio::test]
async fn a_change_before_the_client_has_spoken_connects_to_nobody() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.proxy().start().await;
    // Which connects to nobody either: it runs now, and watches.
    client.request("ping", json!({})).await;
    file.write(&[entry("b", &b)]);
    said(&client, DONE, 1).await;
    assert!(a.raw.requests().is_empty() && b.raw.requests().is_empty());
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert!(a.raw.requests().is_empty());
}
