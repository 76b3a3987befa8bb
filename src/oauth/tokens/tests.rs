//! Refreshes, expiry, and what is written to disk or printed.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn tokens() -> Tokens {
    serde_json::from_value(json!({
        "issuer": "https://id.example.com",
        "resource": "https://mcp.example.com/mcp",
        "client_id": "c1",
        "access_token": "access-secret",
        "token_type": "Bearer",
        "expires_at": 1000,
        "refresh_token": "refresh-secret",
        "scope": "files:read",
        "dpop_key": "key-secret",
        "later_key": {"d": "other-secret"},
    }))
    .unwrap()
}

fn grant() -> TokenResponse {
    TokenResponse {
        access_token: Secret::new("access-2".to_owned()),
        token_type: "Bearer".to_owned(),
        expires_at: None,
        refresh_token: None,
        scope: None,
        issued_at: Timestamp(500),
    }
}

#[test]
fn a_refresh_keeps_members_that_the_response_omits() {
    let old = tokens();
    let new = old.clone().refreshed(grant());
    assert_eq!(new.access_token.expose(), "access-2");
    assert_eq!(
        new.expires_at, None,
        "the old token's end is not the new one's"
    );
    assert_eq!(new.refresh_token, old.refresh_token);
    assert_eq!(new.scope, old.scope);
    assert_eq!(new.dpop_key, old.dpop_key, "the tokens stay bound to it");
    assert_eq!(new.issued_at, Some(Timestamp(500)));
    assert_eq!(
        (new.issuer, new.resource, new.client_id, new.other),
        (old.issuer, old.resource, old.client_id, old.other)
    );
}

#[test]
fn a_refresh_takes_members_of_the_response() {
    let new = tokens().refreshed(TokenResponse {
        expires_at: Some(Timestamp(2000)),
        refresh_token: Some(Secret::new("refresh-2".to_owned())),
        scope: Some("files:write".to_owned()),
        ..grant()
    });
    assert_eq!(new.expires_at, Some(Timestamp(2000)));
    assert_eq!(new.refresh_token, Some(Secret::new("refresh-2".to_owned())));
    assert_eq!(new.scope.as_deref(), Some("files:write"));
}

#[test]
fn tokens_expire_a_margin_early_and_without_expiry_never() {
    let margin = Duration::from_secs(60);
    let cases = [
        (Some(1000), 939, false),
        (Some(1000), 940, true),
        (Some(1000), 5000, true),
        (Some(u64::MAX), u64::MAX - 1, true),
        (None, u64::MAX, false),
    ];
    for (end, now, expected) in cases {
        let mut tokens = tokens();
        tokens.expires_at = end.map(Timestamp);
        let ends = tokens.expires_within(margin, Timestamp(now));
        assert_eq!(ends, expected, "{end:?} at {now}");
    }
}

#[test]
fn a_client_secret_with_expiry_0_never_expires() {
    for (end, expected) in [
        (None, false),
        (Some(0), false),
        (Some(99), true),
        (Some(100), true),
        (Some(101), false),
    ] {
        let client = json!({
            "issuer": "https://id.example.com",
            "client_id": "c1",
            "client_secret_expires_at": end,
        });
        let client: ClientInformation = serde_json::from_value(client).unwrap();
        assert_eq!(client.is_expired(Timestamp(100)), expected, "{end:?}");
    }
}

#[test]
fn records_do_not_print_their_secrets() {
    let client: ClientInformation = serde_json::from_value(json!({
        "issuer": "https://id.example.com",
        "client_id": "c1",
        "client_secret": "client-secret",
        "registration_access_token": "registration-secret",
    }))
    .unwrap();
    let printed = format!("{:?} {client:#?}", tokens());
    assert!(!printed.contains("secret\""), "{printed}");
    assert!(!printed.contains("-secret"), "{printed}");
    assert!(printed.contains("registration_access_token"), "{printed}");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "\\PC{0,20}", any::<String>()]
}

fn members(known: &'static [&'static str]) -> impl Strategy<Value = Members> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        prop::collection::vec(text(), 0..3).prop_map(Value::from),
        text().prop_map(|inner| json!({"inner": inner})),
    ];
    prop::collection::btree_map(text(), value, 0..4).prop_map(|map| {
        let new = |(name, _): &(String, Value)| !known.contains(&name.as_str());
        Members(map.into_iter().filter(new).collect())
    })
}

proptest! {
    #[test]
    fn stored_tokens_are_read_unchanged(
        texts in prop::array::uniform4(text()),
        optional in prop::array::uniform4(prop::option::of(text())),
        times in prop::array::uniform2(prop::option::of(any::<u64>())),
        other in members(&[
            "issuer", "resource", "client_id", "access_token", "token_type",
            "expires_at", "refresh_token", "scope", "issued_at", "dpop_key",
        ]),
    ) {
        let [issuer, client_id, access_token, token_type] = texts;
        let [resource, refresh_token, scope, dpop_key] = optional;
        let [expires_at, issued_at] = times.map(|time| time.map(Timestamp));
        let tokens = Tokens {
            issuer, resource, client_id, token_type, scope, expires_at, issued_at, other,
            access_token: access_token.into(),
            refresh_token: refresh_token.map(Secret::new),
            dpop_key: dpop_key.map(Secret::new),
        };
        let written = serde_json::to_string(&tokens).unwrap();
        prop_assert_eq!(serde_json::from_str::<Tokens>(&written).unwrap(), tokens);
    }

    #[test]
    fn a_stored_client_is_read_unchanged(
        texts in prop::array::uniform2(text()),
        optional in prop::array::uniform2(prop::option::of(text())),
        end in prop::option::of(any::<u64>()),
        redirect_uris in prop::collection::vec(text(), 0..3),
        other in members(&[
            "issuer", "client_id", "client_secret", "client_secret_expires_at",
            "redirect_uris", "token_endpoint_auth_method",
        ]),
    ) {
        let [issuer, client_id] = texts;
        let [client_secret, token_endpoint_auth_method] = optional;
        let client = ClientInformation {
            issuer, client_id, redirect_uris, token_endpoint_auth_method, other,
            client_secret: client_secret.map(Secret::new),
            client_secret_expires_at: end.map(Timestamp),
        };
        let written = serde_json::to_string(&client).unwrap();
        prop_assert_eq!(serde_json::from_str::<ClientInformation>(&written).unwrap(), client);
    }
}
