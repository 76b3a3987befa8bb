//! A cached listing is used only with the configuration that it was stored with.

use serde_json::{Value, json};

use crate::cache::{cache_files, cache_folder, fill_cache, replace_with_hanging};
use testkit::proxy::{self, Builder};
use testkit::upstream;

/// Fills the cache with the configuration `before`, then starts with `after` while the server hangs. Returns
/// the listed tools.
async fn tools_after_change(
    before: Value,
    after: Value,
    change: impl Fn(Builder) -> Builder,
) -> Vec<String> {
    let server = upstream::legacy().tool("tool").tool("other").start().await;
    let home = proxy::home();
    let proxy = |after: &Value| {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        proxy.extra("a", after.clone())
    };
    fill_cache(proxy(&before)).await;
    let _hanging = replace_with_hanging(&server).await;
    let proxy = change(proxy(&after)).env("PROXY_STARTUP_WAIT", "100ms");
    let mut client = proxy.start().await;
    client.tool_names().await
}

#[tokio::test]
async fn cache_is_not_used_with_another_account_or_transport() {
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
    for (before, after) in cases {
        let listed = tools_after_change(before.clone(), after.clone(), |proxy| proxy).await;
        assert_eq!(listed, [""; 0], "{before} -> {after}");
    }
}

#[tokio::test]
async fn cache_is_used_after_any_other_configuration_change() {
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
    for (before, after, expected) in cases {
        let listed = tools_after_change(before.clone(), after.clone(), |proxy| proxy).await;
        assert_eq!(listed, expected, "{before} -> {after}");
    }
}

#[tokio::test]
async fn urls_with_different_queries_do_not_share_a_cache() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let url = testkit::Endpoint::url(&server);
    let proxy = |query: &str| {
        let proxy = proxy::new().home(&home).env("PROXY_STARTUP_WAIT", "100ms");
        proxy.upstream("a", &format!("{url}?key={query}"))
    };
    fill_cache(proxy("hunter2")).await;
    let _hanging = replace_with_hanging(&server).await;
    assert_eq!(proxy("other").start().await.tool_names().await, [""; 0]);
    assert_eq!(proxy("hunter2").start().await.tool_names().await, ["tool"]);
}

#[tokio::test]
async fn cache_files_contain_no_secrets() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let url = format!("{}?key=hunter1", testkit::Endpoint::url(&server));
    let proxy = proxy::new().home(&home).upstream("a", &url);
    let secrets = json!({
        "headers": {"x-key": "hunter2"},
        "oauth": {"client_id": "c", "client_secret": "hunter3"},
    });
    fill_cache(proxy.extra("a", secrets)).await;
    assert_eq!(cache_files(&home).len(), 1);
    for entry in cache_folder(&home).read_dir().unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter"), "{}", path.display());
    }
}

#[tokio::test]
async fn cache_with_an_invalid_key_is_ignored_and_replaced() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    fill_cache(proxy()).await;
    let before = std::fs::read_to_string(&cache_files(&home)[0]).unwrap();
    let key = cache_folder(&home).join("key");
    std::fs::write(&key, b"short").unwrap();

    fill_cache(proxy()).await;
    assert_eq!(std::fs::read(&key).unwrap().len(), 32);
    let after = std::fs::read_to_string(&cache_files(&home)[0]).unwrap();
    assert_ne!(before, after);
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["tool"]);
}
