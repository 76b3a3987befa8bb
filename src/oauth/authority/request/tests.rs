//! The parameters of an authorization request.

use oauth2::PkceCodeVerifier;
use serde_json::json;

use super::*;
use crate::oauth::address::Issuer;
use crate::oauth::address::tests::upstream;

fn server(endpoint: &str) -> AuthorizationServer {
    let document = json!({
        "issuer": "https://id.example",
        "authorization_endpoint": endpoint,
        "token_endpoint": "https://id.example/token",
        "code_challenge_methods_supported": ["S256"],
    });
    let upstream = upstream("https://mcp.example/mcp");
    let issuer = Issuer::parse("issuer", "https://id.example", &upstream).unwrap();
    AuthorizationServer::parse(document.to_string().as_bytes(), &issuer, &upstream).unwrap()
}

fn parameters() -> AuthorizationParameters<'static> {
    AuthorizationParameters {
        client_id: "client",
        redirect_uri: "http://127.0.0.1:4000",
        scope: None,
        resource: None,
        extra_params: &[],
        pkce: Pkce::default(),
    }
}

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_address_has_every_parameter() {
    let extra_params = pairs(&[("access_type", "offline"), ("prompt", "consent")]);
    let parameters = AuthorizationParameters {
        scope: Some("read write"),
        resource: Some("https://mcp.example/mcp"),
        extra_params: &extra_params,
        ..parameters()
    };
    let request = AuthorizationRequest::new(&server("https://id.example/go?tenant=7"), &parameters);
    let request = request.unwrap();
    let verifier = PkceCodeVerifier::new(request.verifier.expose().to_owned());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let mut found = query(&request.url);
    let mut expected = pairs(&[
        ("tenant", "7"),
        ("response_type", "code"),
        ("client_id", "client"),
        ("redirect_uri", "http://127.0.0.1:4000"),
        ("state", request.state.expose()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "read write"),
        ("resource", "https://mcp.example/mcp"),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ]);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(
        request
            .url
            .as_str()
            .starts_with("https://id.example/go?tenant=7&")
    );
    assert_eq!(format!("{request:?}"), "AuthorizationRequest(…)");
}

#[test]
fn absent_and_empty_parameters_are_omitted() {
    for scope in [None, Some("")] {
        let parameters = AuthorizationParameters {
            scope,
            ..parameters()
        };
        let request = AuthorizationRequest::new(&server("https://id.example/go"), &parameters);
        let found = query(&request.unwrap().url);
        assert!(
            found
                .iter()
                .all(|(name, _)| name != "scope" && name != "resource")
        );
    }
}

#[test]
fn no_two_requests_are_the_same() {
    let (server, parameters) = (server("https://id.example/go"), parameters());
    let one = AuthorizationRequest::new(&server, &parameters).unwrap();
    let other = AuthorizationRequest::new(&server, &parameters).unwrap();
    assert!(one.state != other.state && one.verifier != other.verifier);
    assert!(one.verifier.expose().len() >= 43, "RFC 7636 § 4.1");
}

#[test]
fn an_invalid_redirect_uri_is_an_error() {
    let parameters = AuthorizationParameters {
        redirect_uri: "callback",
        ..parameters()
    };
    let refused = AuthorizationRequest::new(&server("https://id.example/go"), &parameters);
    assert!(matches!(
        refused,
        Err(DiscoveryError::Address {
            member: "redirect_uri",
            ..
        })
    ));
}
