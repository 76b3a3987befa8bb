//! Cached capabilities and instructions in the responses to `initialize` and `server/discover`.

use serde_json::{Value, json};

use crate::cache::{fill_cache, replace_with_hanging};
use testkit::proxy;
use testkit::upstream;

const LEGACY_CAPABILITIES: &str =
    r#"{"tools":{},"prompts":{"listChanged":true},"experimental":{"a/b":{"n":1.50}}}"#;
const MODERN_CAPABILITIES: &str = r#"{"tools":{},"completions":{},"extensions":{"x/y":{}}}"#;

#[tokio::test]
async fn cached_capabilities_and_instructions_are_declared() {
    let first = upstream::legacy()
        .capabilities(LEGACY_CAPABILITIES)
        .tool("one");
    let first = first.instructions("Use one first.").start().await;
    let second = upstream::modern()
        .capabilities(MODERN_CAPABILITIES)
        .tool("two");
    let second = second.instructions("Use two then.").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("a", &first);
        proxy.upstream("b", &second)
    };
    fill_cache(proxy()).await;
    let _hanging = (
        replace_with_hanging(&first).await,
        replace_with_hanging(&second).await,
    );

    let tools = json!({"listChanged": true});
    let prompts = json!({"listChanged": true});
    let mut client = proxy().start().await;
    let response = client.initialize().await;
    let legacy = json!({
        "tools": tools, "prompts": prompts, "completions": {}, "experimental": {"a/b": {"n": 1.50}},
    });
    assert_eq!(response["capabilities"], legacy);
    assert_instructions(&response);
    let mut client = proxy().start().await;
    let response = client.modern("server/discover", json!({})).await["result"].take();
    let modern = json!({
        "tools": tools, "prompts": prompts, "completions": {}, "extensions": {"x/y": {}},
    });
    assert_eq!(response["capabilities"], modern);
    assert_instructions(&response);
}

fn assert_instructions(response: &Value) {
    let text = response["instructions"].as_str().unwrap_or_default();
    assert!(text.contains("a: Use one first."), "{response}");
    assert!(text.contains("b: Use two then."), "{response}");
}

#[tokio::test]
async fn all_capabilities_are_declared_while_a_server_is_uncached() {
    let cached = upstream::legacy()
        .capabilities(LEGACY_CAPABILITIES)
        .start()
        .await;
    let uncached = upstream::legacy().start().await;
    let _hanging = replace_with_hanging(&uncached).await;
    let home = proxy::home();
    fill_cache(proxy::new().home(&home).upstream("a", &cached)).await;

    let proxy = proxy::new().home(&home).upstream("a", &cached);
    let mut client = proxy.upstream("b", &uncached).start().await;
    let response = client.initialize().await;
    assert!(
        response["capabilities"]["resources"].is_object(),
        "{response}"
    );
    assert!(
        response["capabilities"]["logging"].is_object(),
        "{response}"
    );
}
