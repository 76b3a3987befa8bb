//! Valid and unusual token responses.

use serde_json::json;

use super::*;

const SENT: Timestamp = Timestamp(1000);

fn grant(answer: Value, with_proof: bool) -> Result<TokenResponse, &'static str> {
    let answer: TokenResponseBody = serde_json::from_value(answer).unwrap();
    answer.into_response(SENT, with_proof)
}

#[test]
fn a_lifetime_may_be_a_number_a_text_or_absent() {
    let cases = [
        (json!(3600), Some(4600)),
        (json!("3600"), Some(4600)),
        (json!(" 3600 "), Some(4600)),
        (json!(3600.9), Some(4600)),
        (json!("3599.5"), Some(4599)),
        (json!(u64::MAX), Some(u64::MAX)),
        (json!(1e300), Some(u64::MAX)),
        (json!(0), None),
        (json!("0"), None),
        (json!(-5), None),
        (json!("soon"), None),
        (json!("NaN"), None),
        (json!(null), None),
        (json!({"seconds": 5}), None),
    ];
    for (lifetime, end) in cases {
        let grant = grant(json!({"access_token": "a", "expires_in": lifetime}), false);
        assert_eq!(grant.unwrap().expires_at, end.map(Timestamp), "{lifetime}");
    }
    assert_eq!(
        grant(json!({"access_token": "a"}), false)
            .unwrap()
            .expires_at,
        None
    );
}

#[test]
fn a_scope_may_be_a_text_a_list_or_absent() {
    let cases = [
        (json!("read write"), Some("read write")),
        (json!("  read   write "), Some("read write")),
        (json!(["read", "write"]), Some("read write")),
        (json!(""), None),
        (json!([]), None),
        (json!(null), None),
        (json!(7), None),
    ];
    for (scope, expected) in cases {
        let grant = grant(json!({"access_token": "a", "scope": scope}), false);
        assert_eq!(grant.unwrap().scope.as_deref(), expected, "{scope}");
    }
}

#[test]
fn a_token_type_may_have_any_case_or_be_absent() {
    let cases = [
        (json!("Bearer"), "Bearer"),
        (json!("bearer"), "Bearer"),
        (json!("BEARER"), "Bearer"),
        (json!(""), "Bearer"),
        (json!(null), "Bearer"),
        (json!("DPoP"), "DPoP"),
        (json!("user"), "user"),
    ];
    for (kind, expected) in cases {
        let grant = grant(json!({"access_token": "a", "token_type": kind}), true).unwrap();
        assert!(
            grant.token_type.eq_ignore_ascii_case(expected),
            "{kind}: {}",
            grant.token_type
        );
    }
}

#[test]
fn an_empty_refresh_token_counts_as_absent() {
    for (token, expected) in [
        (json!("r"), Some("r")),
        (json!(""), None),
        (json!(null), None),
    ] {
        let grant = grant(json!({"access_token": "a", "refresh_token": token}), false).unwrap();
        assert_eq!(grant.refresh_token.as_ref().map(Secret::expose), expected);
    }
}

#[test]
fn an_unusable_token_is_rejected() {
    let cases = [
        (json!({"access_token": ""}), "the token is empty"),
        (
            json!({"access_token": "a\r\nHost: x"}),
            "the token contains characters that no header can carry",
        ),
        (
            json!({"access_token": "ü"}),
            "the token contains characters that no header can carry",
        ),
        (
            json!({"access_token": "a", "token_type": "dpop"}),
            "the token is bound to an unknown key",
        ),
    ];
    for (answer, fault) in cases {
        assert_eq!(grant(answer, false).unwrap_err(), fault);
    }
    for broken in [
        json!({}),
        json!([]),
        json!({"access_token": 7}),
        json!("a"),
        json!(null),
    ] {
        assert!(
            serde_json::from_value::<TokenResponseBody>(broken.clone()).is_err(),
            "{broken}"
        );
    }
}

#[test]
fn a_token_response_does_not_print_its_secrets() {
    let answer = json!({"access_token": "hidden-1", "refresh_token": "hidden-2"});
    let answer: TokenResponseBody = serde_json::from_value(answer).unwrap();
    let shown = format!("{answer:?}");
    let shown = format!("{shown} {:?}", answer.into_response(SENT, false));
    assert!(!shown.contains("hidden"), "{shown}");
}
