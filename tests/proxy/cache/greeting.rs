//! What the proxy says of itself, out of what its servers said of themselves in an earlier run.

use serde_json::{Value, json};

use crate::cache::{hang, learn};
use testkit::proxy;
use testkit::upstream;

const SOME: &str =
    r#"{"tools":{},"prompts":{"listChanged":true},"experimental":{"a/b":{"n":1.50}}}"#;
const MODERN: &str = r#"{"tools":{},"completions":{},"extensions":{"x/y":{}}}"#;

#[tokio::test]
async fn cached_capabilities_and_instructions_are_declared_at_once() {
    let first = upstream::legacy().capabilities(SOME).tool("one");
    let first = first.instructions("Use one first.").start().await;
    let second = upstream::modern().capabilities(MODERN).tool("two");
    let second = second.instructions("Use two then.").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("a", &first);
        proxy.upstream("b", &second)
    };
    learn(proxy()).await;
    let holes = (hang(&first).await, hang(&second).await);

    let tools = json!({"listChanged": true});
    let prompts = json!({"listChanged": true});
    let mut client = proxy().start().await;
    let said = client.initialize().await;
    let legacy = json!({
        "tools": tools, "prompts": prompts, "completions": {}, "experimental": {"a/b": {"n": 1.50}},
    });
    assert_eq!(said["capabilities"], legacy);
    assert_instructions(&said);
    let mut client = proxy().start().await;
    let said = client.modern("server/discover", json!({})).await["result"].take();
    let modern = json!({
        "tools": tools, "prompts": prompts, "completions": {}, "extensions": {"x/y": {}},
    });
    assert_eq!(said["capabilities"], modern);
    assert_instructions(&said);
    drop(holes);
}

fn assert_instructions(said: &Value) {
    let text = said["instructions"].as_str().unwrap_or_default();
    assert!(text.contains("a: Use one first."), "{said}");
    assert!(text.contains("b: Use two then."), "{said}");
}

#[tokio::test]
async fn while_one_is_not_known_anything_may_turn_out_to_be_there() {
    let known = upstream::legacy().capabilities(SOME).start().await;
    let unknown = upstream::legacy().start().await;
    let hole = hang(&unknown).await;
    let home = proxy::home();
    learn(proxy::new().home(&home).upstream("a", &known)).await;

    let proxy = proxy::new().home(&home).upstream("a", &known);
    let mut client = proxy.upstream("b", &unknown).start().await;
    let said = client.initialize().await;
    assert!(said["capabilities"]["resources"].is_object(), "{said}");
    assert!(said["capabilities"]["logging"].is_object(), "{said}");
    drop(hole);
}
