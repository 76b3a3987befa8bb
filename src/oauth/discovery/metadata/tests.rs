//! Metadata as published, and metadata that must not be used.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::oauth::address::tests::upstream;

const UPSTREAM: &str = "https://mcp.example.com/mcp";
const ISSUER: &str = "https://auth.example.com/t1";

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://auth.example.com/authorize?tenant=1",
        "token_endpoint": "https://auth.example.com/token",
        "registration_endpoint": "https://auth.example.com/register",
        "revocation_endpoint": "https://auth.example.com/revoke",
        "device_authorization_endpoint": "https://auth.example.com/device",
        "response_types_supported": ["code"],
        "scopes_supported": ["a", "offline_access"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "authorization_response_iss_parameter_supported": true,
        "jwks_uri": "javascript:ignored",
    })
}

/// Returns the document with a member changed, or removed if `value` is null.
fn with(member: &str, value: Value) -> Value {
    let mut document = document();
    document[member] = value;
    if document[member].is_null() {
        document.as_object_mut().unwrap().remove(member);
    }
    document
}

fn read(document: &Value) -> Result<AuthorizationServer, MetadataError> {
    let upstream = upstream(UPSTREAM);
    let issuer = Issuer::parse("issuer", ISSUER, &upstream).unwrap();
    AuthorizationServer::parse(document.to_string().as_bytes(), &issuer, &upstream)
}

fn refused<T: std::fmt::Debug>(read: Result<T, MetadataError>) -> DiscoveryError {
    match read {
        Err(MetadataError::Refused(error)) => error,
        read => panic!("{read:?}"),
    }
}

#[test]
fn parsed_metadata_can_be_cached_and_parsed_again() {
    let server = read(&document()).unwrap();
    let page = server.authorization_endpoint(Pkce::Required).unwrap();
    let url = page.as_url().as_str();
    assert_eq!(url, "https://auth.example.com/authorize?tenant=1");
    assert_eq!(server.issuer.as_str(), ISSUER);
    assert!(
        server
            .features
            .authorization_response_iss_parameter_supported
    );
    assert!(!server.features.client_id_metadata_document_supported);
    assert_eq!(server.features.grant_types_supported, None);

    let kept = serde_json::to_value(&server).unwrap();
    assert_eq!(kept.get("jwks_uri"), None);
    assert_eq!(read(&kept).unwrap(), server);
}

#[test]
fn the_issuer_must_equal_the_requested_one_exactly() {
    for found in [
        "https://auth.example.com/t1/",
        "https://auth.example.com/T1",
        "https://auth.example.com:443/t1",
        "https://auth.example.com/t%31",
        "https://honest.example",
        "",
    ] {
        let error = refused(read(&with("issuer", json!(found))));
        let expected = DiscoveryError::IssuerMismatch {
            expected: ISSUER.to_owned(),
            found: found.to_owned(),
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn one_forbidden_endpoint_rejects_the_document() {
    let members = [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "device_authorization_endpoint",
    ];
    for member in members {
        for text in [
            "file:///etc/passwd",
            "http://auth.example.com/x",
            "https://169.254.169.254/",
            "https://auth.example.com/\" & calc",
        ] {
            match refused(read(&with(member, json!(text)))) {
                DiscoveryError::Address { member: named, .. } => assert_eq!(named, member),
                error => panic!("{error}"),
            }
        }
    }
}

#[test]
fn no_sign_in_page_without_pkce() {
    let refusing = [json!(null), json!([]), json!(["plain"]), json!(["s256"])];
    for methods in refusing {
        let server = read(&with("code_challenge_methods_supported", methods)).unwrap();
        let error = server.authorization_endpoint(Pkce::Required).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the authorization server `https://auth.example.com/t1` does not advertise PKCE with \
             `S256`, without which a sign-in could be stolen; report this to the server's operator"
        );
        assert!(server.authorization_endpoint(Pkce::Assumed).is_ok());
    }
    let server = read(&with("authorization_endpoint", json!(null))).unwrap();
    let error = server.authorization_endpoint(Pkce::Assumed).unwrap_err();
    assert!(
        matches!(error, DiscoveryError::NoSignInPage { .. }),
        "{error}"
    );
}

/// Returns the errors of a body parsed as both kinds of metadata.
fn unread(body: &str) -> [MetadataError; 2] {
    let upstream = upstream(UPSTREAM);
    let issuer = Issuer::parse("issuer", ISSUER, &upstream).unwrap();
    [
        AuthorizationServer::parse(body.as_bytes(), &issuer, &upstream).unwrap_err(),
        ProtectedResource::parse(body.as_bytes(), &upstream).unwrap_err(),
    ]
}

#[test]
fn other_documents_differ_from_malformed_metadata() {
    let others = [
        "",
        "<html>",
        "[]",
        "{}",
        "null",
        r#"{"error":"x"}"#,
        r#"{"issuer""#,
    ];
    for body in others {
        let unread = unread(body);
        assert!(
            matches!(
                unread,
                [MetadataError::NotMetadata, MetadataError::NotMetadata]
            ),
            "{body}"
        );
    }
    let broken = [
        r#"{"issuer":1,"resource":1}"#,
        r#"{"issuer":"a","resource":"a","scopes_supported":"a"}"#,
        r#"{"issuer":"a","issuer":"b","resource":"a","resource":"b"}"#,
    ];
    for body in broken {
        let unread = unread(body);
        assert!(
            matches!(
                unread,
                [MetadataError::Malformed(_), MetadataError::Malformed(_)]
            ),
            "{body}"
        );
    }
    let without_token = read(&with("token_endpoint", json!(null)));
    assert!(matches!(without_token, Err(MetadataError::Malformed(_))));
}

#[test]
fn resource_metadata_must_identify_the_upstream() {
    let parse = |document: &Value| {
        ProtectedResource::parse(document.to_string().as_bytes(), &upstream(UPSTREAM))
    };
    let document = json!({
        "resource": "https://mcp.example.com/mcp/",
        "authorization_servers": [ISSUER, "https://b.example"],
        "scopes_supported": [],
        "dpop_bound_access_tokens_required": null,
        "resource_name": "ignored",
    });
    let resource = parse(&document).unwrap();
    assert_eq!(
        resource.resource, "https://mcp.example.com/mcp/",
        "as it was published"
    );
    assert_eq!(
        resource.authorization_servers,
        [ISSUER, "https://b.example"]
    );
    assert_eq!(resource.scopes_supported, Some(vec![]));
    assert!(!resource.dpop_bound_access_tokens_required);
    assert_eq!(
        parse(&serde_json::to_value(&resource).unwrap()).unwrap(),
        resource
    );

    let alone = parse(&json!({"resource": "https://mcp.example.com"})).unwrap();
    assert_eq!(alone.scopes_supported, None);
    assert_eq!(alone.authorization_servers, [""; 0]);

    let error = refused(parse(&json!({"resource": "https://evil.example.com/mcp"})));
    assert_eq!(
        error.to_string(),
        "the resource metadata is for `https://evil.example.com/mcp` instead of \
         `https://mcp.example.com/mcp`; configure that url if you trust it"
    );
}

#[test]
fn a_server_without_metadata_has_the_endpoints_of_2025_03_26() {
    let server = AuthorizationServer::with_default_endpoints(&upstream(
        "https://api.example.com/v1/mcp?k=1",
    ));
    let server = server.unwrap();
    let page = server.authorization_endpoint(Pkce::Required).unwrap();
    let registration = server.registration_endpoint.as_ref().unwrap();
    let urls = [page, &server.token_endpoint, registration].map(|url| url.as_url().as_str());
    assert_eq!(
        urls,
        [
            "https://api.example.com/authorize",
            "https://api.example.com/token",
            "https://api.example.com/register"
        ]
    );
    assert_eq!(server.issuer.as_str(), "https://api.example.com");
    let in_the_clear =
        AuthorizationServer::with_default_endpoints(&upstream("http://intranet.example/mcp"));
    assert!(in_the_clear.is_err());
}

proptest! {
    #[test]
    fn no_document_causes_a_panic(
        member in prop::sample::select(vec![
            "issuer", "token_endpoint", "authorization_endpoint", "scopes_supported",
            "code_challenge_methods_supported", "client_id_metadata_document_supported",
        ]),
        value in prop_oneof![
            Just(json!({})), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            prop::collection::vec(".{0,5}", 0..3).prop_map(Value::from),
        ],
    ) {
        if let Ok(server) = read(&with(member, value)) {
            let kept = serde_json::to_value(&server).unwrap();
            prop_assert_eq!(read(&kept).unwrap(), server);
        }
    }
}
