//! What is remembered is good for the configuration that it came by.

use serde_json::{Value, json};

use crate::cache::{files, hang, learn, listings};
use testkit::proxy::{self, Builder};
use testkit::upstream;

/// What a second start lists with its configuration changed by `extra` and its server hanging, after a
/// first one with `before`.
async fn lists(before: Value, extra: Value, change: impl Fn(Builder) -> Builder) -> Vec<String> {
    let server = upstream::legacy().tool("tool").tool("other").start().await;
    let home = proxy::home();
    let proxy = |extra: &Value| {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        proxy.extra("a", extra.clone())
    };
    learn(proxy(&before)).await;
    let hole = hang(&server).await;
    let proxy = change(proxy(&extra)).env("PROXY_STARTUP_WAIT", "100ms");
    let mut client = proxy.start().await;
    let names = client.tool_names().await;
    drop(hole);
    names
}

#[tokio::test]
async fn it_is_not_used_for_another_url_account_or_way() {
    let key = |key: &str| json!({"headers": {"x-key": key}});
    let client = |oauth: Value| json!({"oauth": oauth});
    let cases = [
        (json!({}), key("1")),
        (key("1"), key("2")),
        (key("1"), json!({})),
        (key("1"), json!({"headers": {"x-kez": "1"}})),
        (key("1"), json!({"headers": {"x-key": "1", "x-more": "1"}})),
        (json!({}), json!({"transport": "http"})),
        (json!({}), json!({"name": "b"})),
        (json!({}), client(json!(false))),
        (json!({}), client(json!({"client_id": "c"}))),
        (
            client(json!({"client_id": "c"})),
            client(json!({"client_id": "d"})),
        ),
        (
            client(json!({"scopes": "a"})),
            client(json!({"scopes": "a b"})),
        ),
        (client(json!({"scopes": []})), client(json!({}))),
        (json!({}), client(json!({"resource": "off"}))),
    ];
    for (before, extra) in cases {
        let listed = lists(before.clone(), extra.clone(), |proxy| proxy).await;
        assert_eq!(listed, [""; 0], "{before} -> {extra}");
    }
}

#[tokio::test]
async fn it_is_used_whatever_else_changes() {
    let all = ["tool", "other"];
    let cases = [
        (json!({}), json!({}), all.to_vec()),
        (json!({}), json!({"timeout": "1s"}), all.to_vec()),
        (json!({}), json!({"ignore_tools": ["other"]}), vec!["tool"]),
        (json!({"ignore_tools": ["other"]}), json!({}), all.to_vec()),
        (
            json!({}),
            json!({"prefix": "x_"}),
            vec!["x_tool", "x_other"],
        ),
        (
            json!({"headers": {"x-a": "1", "X-B": "2"}}),
            json!({"headers": {"x-b": "2", "x-a": "1"}}),
            all.to_vec(),
        ),
        (
            json!({"oauth": {"client_id": "c", "client_secret": "one"}}),
            json!({"oauth": {"client_id": "c", "client_secret": "two", "login": "manual"}}),
            all.to_vec(),
        ),
    ];
    for (before, extra, expected) in cases {
        let listed = lists(before.clone(), extra.clone(), |proxy| proxy).await;
        assert_eq!(listed, expected, "{before} -> {extra}");
    }
}

#[tokio::test]
async fn urls_that_differ_in_their_query_alone_are_two() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let url = testkit::Endpoint::url(&server);
    let proxy = |query: &str| {
        let proxy = proxy::new().home(&home).env("PROXY_STARTUP_WAIT", "100ms");
        proxy.upstream("a", &format!("{url}?key={query}"))
    };
    learn(proxy("hunter2")).await;
    let hole = hang(&server).await;
    assert_eq!(proxy("other").start().await.tool_names().await, [""; 0]);
    assert_eq!(proxy("hunter2").start().await.tool_names().await, ["tool"]);
    drop(hole);
}

#[tokio::test]
async fn no_secret_is_in_the_files() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let url = format!("{}?key=hunter1", testkit::Endpoint::url(&server));
    let proxy = proxy::new().home(&home).upstream("a", &url);
    let secrets = json!({
        "headers": {"x-key": "hunter2"},
        "oauth": {"client_id": "c", "client_secret": "hunter3"},
    });
    learn(proxy.extra("a", secrets)).await;
    assert_eq!(files(&home).len(), 1);
    for entry in listings(&home).read_dir().unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter"), "{}", path.display());
    }
}

#[tokio::test]
async fn without_its_key_a_file_is_not_used_and_made_anew() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    learn(proxy()).await;
    let before = std::fs::read_to_string(&files(&home)[0]).unwrap();
    let key = listings(&home).join("key");
    std::fs::write(&key, b"short").unwrap();

    learn(proxy()).await;
    assert_eq!(std::fs::read(&key).unwrap().len(), 32);
    let after = std::fs::read_to_string(&files(&home)[0]).unwrap();
    assert_ne!(before, after);
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["tool"]);
}
