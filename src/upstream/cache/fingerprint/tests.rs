//! Which configuration changes the fingerprint.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Environment};

fn fingerprint(key: u8, extra: &Value) -> String {
    let mut upstream = json!({"name": "a", "url": "https://x.example/mcp"});
    for (name, value) in extra.as_object().unwrap() {
        upstream[name] = value.clone();
    }
    let upstreams = ("PROXY_UPSTREAMS".to_owned(), json!([upstream]).to_string());
    let config = Config::from_environment(&Environment::from_iter([upstreams])).unwrap();
    let key = FingerprintKey::read(&[key; KEY_BYTES]).unwrap();
    key.config_fingerprint(&config.upstreams[0])
}

#[test]
fn address_transport_and_account_change_the_fingerprint() {
    let oauth = |oauth: Value| json!({"oauth": oauth});
    let machine = |key: &str, value: &str| {
        let mut keys = json!({"grant": "enterprise", "client_id": "c", "idp_client_id": "i",
            "idp_id_token": "t", "idp_token_endpoint": "https://idp.example/token"});
        keys[key] = json!(value);
        oauth(keys)
    };
    let all = [
        json!({}),
        json!({"url": "https://x.example/mcp2"}),
        json!({"url": "https://x.example/mcp?a=1"}),
        json!({"transport": "http"}),
        json!({"transport": "sse"}),
        json!({"transport": "sse-first"}),
        json!({"headers": {"a": "bc"}}),
        json!({"headers": {"ab": "c"}}),
        json!({"headers": {"a": "b", "c": "d"}}),
        oauth(json!(false)),
        oauth(json!({"client_id": "a"})),
        oauth(json!({"client_metadata_url": "https://x.example/a"})),
        oauth(json!({"authorization_server": "https://x.example/a"})),
        oauth(json!({"scopes": []})),
        oauth(json!({"scopes": ["a", "b"]})),
        oauth(json!({"scopes": ["ab"]})),
        oauth(json!({"resource": "off"})),
        oauth(json!({"resource": "https://y.example/"})),
        oauth(json!({"authorize_params": {"a": "b"}})),
        oauth(json!({"authorize_params": {"b": "a"}})),
        oauth(json!({"grant": "client_credentials", "client_id": "a", "client_secret": "s"})),
        oauth(json!({"grant": "jwt_bearer", "client_id": "a", "assertion": "s"})),
        machine("idp_client_id", "i"),
        machine("idp_client_id", "j"),
        machine("idp_issuer", "https://idp.example"),
        machine("idp_token_endpoint", "https://idp.example/other"),
    ];
    let digests: HashSet<_> = all.iter().map(|extra| fingerprint(1, extra)).collect();
    assert_eq!(digests.len(), all.len());
    assert!(digests.iter().all(|digest| digest.len() == 64));
    assert_ne!(
        fingerprint(1, &json!({})),
        fingerprint(2, &json!({})),
        "another key"
    );
}

#[test]
fn other_configuration_leaves_the_fingerprint() {
    let oauth = |oauth: Value| json!({"oauth": oauth});
    let pairs = [
        (
            json!({}),
            json!({"timeout": 3, "prefix": "x", "ignore_tools": ["y"]}),
        ),
        (json!({}), json!({"transport": "http-first"})),
        (
            json!({"headers": {"a": "1", "b": "2"}}),
            json!({"headers": {"B": "2", "a": "1"}}),
        ),
        (
            oauth(json!({"client_id": "c", "client_secret": "s"})),
            oauth(json!({"client_id": "c", "client_secret": "t", "login": "manual"})),
        ),
        (oauth(json!({})), oauth(json!({"grant": "device"}))),
    ];
    for (one, other) in pairs {
        assert_eq!(
            fingerprint(1, &one),
            fingerprint(1, &other),
            "{one} {other}"
        );
    }
    assert!(FingerprintKey::read(&[1; KEY_BYTES - 1]).is_none());
}
