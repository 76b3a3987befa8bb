//! Client metadata in `_meta` of each request.

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::{META_KEYS, meta_of};
use testkit::json::bytes_of;

const OWN_META: &str =
    r#""traceparent":"00-0a-0b-01","example.com\/x":{ "n":1.0},"progressToken":"p""#;

pub(super) async fn client_capabilities_are_those_of_the_revision(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let declared = json!({
        "roots": {"listChanged": true},
        "elicitation": {"form": {}, "url": {}},
        "tasks": {"list": {}},
    });
    let mut client = pairing.client_with(&server, declared).await;
    client.call("t", json!({})).await;
    let expected = json!({"roots": {}, "elicitation": {"form": {}, "url": {}}});
    for method in ["tools/list", "tools/call"] {
        let declared = &meta_of(&server.requests_of(method)[0])[META_KEYS[2]];
        assert_eq!(*declared, expected, "{method}");
    }
}

/// Calls `t` with `meta`. Returns the bytes of `_meta` that the upstream receives.
pub(super) async fn received_meta(pairing: Pairing, meta: &str) -> String {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let line = pairing.line("7", "tools/call", meta, r#""name":"t""#);
    client.exchange(line, "7").await;
    let call = server.wait_for_calls(1).await.remove(0);
    bytes_of(&call, &["params", "_meta"]).to_owned()
}

pub(super) async fn protocol_keys_are_not_added(pairing: Pairing) {
    let level = format!(r#","{}":"info""#, META_KEYS[3]);
    let level = if pairing.legacy_client() { "" } else { &level };
    let meta = received_meta(pairing, &format!("{OWN_META}{level}")).await;
    assert_eq!(meta, format!("{{{OWN_META}}}"));
}

pub(super) async fn protocol_keys_are_added(pairing: Pairing) {
    let meta = received_meta(pairing, OWN_META).await;
    assert!(meta.contains(OWN_META), "{meta}");
    let meta: Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(meta[META_KEYS[0]], "2026-07-28");
    assert_eq!(meta[META_KEYS[1]], json!({"name": "test", "version": "1"}));
    assert_eq!(meta[META_KEYS[2]], json!({}));
}

pub(super) async fn metadata_passes_unchanged(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let sets = [
        r#"{"roots":{"x":1.0}, "extensions":{"example.com\/y":{ }}}"#,
        r#"{"sampling":{}}"#,
    ];
    for capabilities in sets {
        let line = pairing.line_with(capabilities, "7", "tools/call", OWN_META, r#""name":"t""#);
        client.exchange(&line, "7").await;
        let call = server.calls().pop().unwrap();
        let sent = bytes_of(line.as_bytes(), &["params", "_meta"]);
        assert_eq!(bytes_of(&call, &["params", "_meta"]), sent);
    }
}
