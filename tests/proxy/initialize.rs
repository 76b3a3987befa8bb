//! The handshakes of both eras: `initialize` and `server/discover`, declared capabilities, and which
//! methods exist in which era.

use serde_json::{Value, json};
use testkit::proxy::{self, with_meta};
use testkit::upstream;

/// All supported revisions.
const VERSIONS: [&str; 5] = [
    "2026-07-28",
    "2025-11-25",
    "2025-06-18",
    "2025-03-26",
    "2024-11-05",
];

const META: [&str; 3] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
];

/// The metadata of a modern request, with `changes` applied. A null removes the member.
fn meta(changes: &[(&str, Value)]) -> Value {
    let mut params = with_meta(json!({}));
    let members = params["_meta"].as_object_mut().unwrap();
    for (key, value) in changes {
        match value {
            Value::Null => members.remove(*key),
            value => members.insert((*key).to_owned(), value.clone()),
        };
    }
    params
}

#[tokio::test]
async fn discover_result_has_versions_cache_hints_and_server_info() {
    let mut client = proxy::disconnected().start().await;
    let response = client.modern("server/discover", json!({})).await;
    let result = &response["result"];
    assert_eq!(result["resultType"], "complete", "{response}");
    assert_eq!(result["supportedVersions"], json!(VERSIONS));
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string());
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["name"], "mcp-manifold");
}

#[tokio::test]
async fn all_capabilities_are_declared_until_all_upstreams_connect() {
    let server = upstream::legacy().tool("a").start().await;
    let all_capabilities = json!({
        "completions": {},
        "logging": {},
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "tools": {"listChanged": true},
    });
    // Only 2025-11-25 defines tasks outside of an extension.
    let mut with_tasks = all_capabilities.clone();
    with_tasks["tasks"] = json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
    let builder = proxy::new()
        .upstream("a", &server)
        .upstream("down", "http://127.0.0.1:1/mcp");
    let mut client = builder.start().await;
    for round in ["before", "after the first listing"] {
        let initialized = client.initialize().await;
        assert_eq!(initialized["capabilities"], with_tasks, "{round}");
        let discovered = client.modern("server/discover", json!({})).await;
        let capabilities = &discovered["result"]["capabilities"];
        assert_eq!(*capabilities, all_capabilities, "{round}");
        assert_eq!(client.tool_names().await, ["a"]);
    }
}

#[tokio::test]
async fn capabilities_of_connected_upstreams_are_merged() {
    let plain = upstream::legacy().capabilities(
        r#"{"tools":{},"tasks":{"list":{}},"prompts":{},"experimental":{"a/x":{"n":1}},"extensions":{"a/y":{}}}"#,
    );
    let rich = upstream::modern().tool("b").capabilities(
        r#"{"resources":{"subscribe":true,"listChanged":false},"extensions":{"b/y":{"n":2}},"experimental":{"b/x":{}}}"#,
    );
    let (plain, rich) = (plain.tool("a").start().await, rich.start().await);
    let builder = proxy::new().upstream("a", &plain).upstream("b", &rich);
    let mut client = builder.start().await;
    client.initialize().await;
    // The initial listing waits for both upstreams.
    client.wait_for_tools(&["a", "b"]).await;
    let shared = json!({
        "tools": {"listChanged": true},
        "prompts": {},
        "resources": {"subscribe": true},
    });
    let mut legacy = shared.clone();
    legacy["experimental"] = json!({"a/x": {"n": 1}});
    legacy["tasks"] = json!({"list": {}});
    let mut modern = shared;
    modern["extensions"] = json!({"b/y": {"n": 2}});
    assert_eq!(client.initialize().await["capabilities"], legacy);
    let discovered = client.modern("server/discover", json!({})).await;
    assert_eq!(discovered["result"]["capabilities"], modern);
}

#[tokio::test]
async fn missing_request_metadata_is_named_in_the_error() {
    let mut client = proxy::disconnected().start().await;
    let [version, info, capabilities] = META;
    let cases = [
        ("server/discover", json!({}), version),
        ("server/discover", json!({"_meta": {}}), version),
        ("server/discover", meta(&[(version, Value::Null)]), version),
        ("tools/list", meta(&[(version, Value::Null)]), version),
        (
            "tools/list",
            meta(&[(version, Value::Null), (capabilities, Value::Null)]),
            version,
        ),
        ("tools/list", meta(&[(version, json!(20260728))]), version),
        (
            "server/discover",
            meta(&[(capabilities, Value::Null)]),
            capabilities,
        ),
        (
            "tools/list",
            meta(&[(capabilities, Value::Null)]),
            capabilities,
        ),
        (
            "tools/list",
            meta(&[(capabilities, json!([]))]),
            capabilities,
        ),
    ];
    for (method, params, missing) in cases {
        let response = client.request(method, params.clone()).await;
        let error = &response["error"];
        assert_eq!(error["code"], -32602, "{method} {params}: {response}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(&format!("lacks `{missing}`")), "{text}");
    }
    // The client's name and version are optional.
    let nameless = meta(&[(info, Value::Null)]);
    let response = client.request("server/discover", nameless).await;
    assert!(response["result"].is_object(), "{response}");
}

#[tokio::test]
async fn unsupported_revision_is_rejected_with_the_supported_ones() {
    let mut client = proxy::disconnected().start().await;
    let other = meta(&[(META[0], json!("2199-01-01"))]);
    for method in ["server/discover", "tools/list", "ping", "x/y"] {
        let error = &client.request(method, other.clone()).await["error"];
        assert_eq!(error["code"], -32022, "{error}");
        assert_eq!(error["data"]["requested"], "2199-01-01");
        assert_eq!(error["data"]["supported"], json!(VERSIONS));
    }
}

#[tokio::test]
async fn method_of_another_era_is_not_found() {
    let mut client = proxy::disconnected().start().await;
    let modern = with_meta(json!({"level": "info", "uri": "a:b"}));
    let removed = [
        "initialize",
        "logging/setLevel",
        "ping",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    ];
    let removed = removed.map(|method| (method, &modern));
    let bare = json!({"notifications": {}});
    let added = [("subscriptions/listen", &bare), ("tasks/update", &bare)];
    let neither = [("", &bare), ("", &modern)];
    for (method, params) in removed.into_iter().chain(added).chain(neither) {
        let response = client.request(method, params.clone()).await;
        let error = &response["error"];
        assert_eq!(error["code"], -32601, "{method} {params}: {response}");
        let named = format!("method `{method}`");
        assert!(error["message"].as_str().unwrap().starts_with(&named));
    }
    let pong = client.request("ping", json!({})).await;
    assert_eq!(pong["result"], json!({}), "{pong}");
}
