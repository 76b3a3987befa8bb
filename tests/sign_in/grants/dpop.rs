//! Sender-constrained tokens (DPoP, RFC 9449), at the token endpoint and at the upstream.

use http::Method;
use mcp_manifold::config::Secret;
use mcp_manifold::oauth::{Authority, DPOP, DpopKey, SigningKey, TokenError, TokenResponse};
use url::Url;

use crate::grants::{Setup, client, public, setup};
use testkit::Endpoint;
use testkit::http::{self as plain, MODERN};
use testkit::oauth::{self, Dpop, Key, Part};
use testkit::proxy::with_meta;
use testkit::raw::Reply;

/// Calls the upstream with a token and a proof of `key`, under this authorization scheme.
async fn call(
    setup: &Setup,
    grant: &TokenResponse,
    key: &DpopKey,
    scheme: &str,
) -> reqwest::Response {
    let url = setup.upstream.url();
    let proof = key.proof(
        &Method::POST,
        &Url::parse(&url).unwrap(),
        Some(&grant.access_token),
    );
    let proof = proof.unwrap();
    let authorization = format!("{scheme} {}", grant.access_token.expose());
    let headers = [
        MODERN,
        ("mcp-method", "server/discover"),
        ("authorization", &authorization),
        (DPOP, proof.to_str().unwrap()),
    ];
    let request = plain::request("server/discover", with_meta(serde_json::json!({})));
    plain::post(&url, &headers, request).await
}

#[tokio::test]
async fn dpop_token_is_useless_without_its_key() {
    let (client, server) = public();
    let setup = setup(server.dpop(Dpop::Required)).await;
    let (key, other) = (DpopKey::generate().unwrap(), DpopKey::generate().unwrap());
    let authority = Authority {
        dpop: Some(&key),
        ..setup.authority(&client)
    };
    let grant = setup.signed_in(&authority, "").await;
    assert!(grant.token_type.eq_ignore_ascii_case("dpop"));
    let bound = setup.server.bound_to(grant.access_token.expose());
    assert_eq!(bound, Some(key.thumbprint()));
    for (key, scheme, status) in [
        (&key, "DPoP", 200),
        (&other, "DPoP", 401),
        (&key, "Bearer", 401),
    ] {
        let response = call(&setup, &grant, key, scheme).await;
        assert_eq!(response.status(), status, "{scheme}");
    }

    let token = grant.refresh_token.unwrap();
    let other = Authority {
        dpop: Some(&other),
        ..authority
    };
    let refused = other.refresh(&token, None, setup.resource()).await;
    assert!(matches!(refused, Err(TokenError::InvalidGrant { .. })));
    let kept = DpopKey::from_secret(key.secret()).unwrap();
    let kept = Authority {
        dpop: Some(&kept),
        ..authority
    };
    kept.refresh(&token, None, setup.resource()).await.unwrap();
}

#[tokio::test]
async fn dpop_nonce_is_stored_and_reused_until_it_changes() {
    let key = Key::es256();
    let known = oauth::client("machine").private_key(&key);
    let server = oauth::server()
        .client(known)
        .dpop(Dpop::Required)
        .dpop_nonces();
    let setup = setup(server).await;
    let client = client("machine", None);
    let signing = SigningKey::new(&Secret::new(key.private_pem()), key.algorithm).unwrap();
    let dpop = DpopKey::generate().unwrap();
    let authority = Authority {
        key: Some(&signing),
        dpop: Some(&dpop),
        ..setup.authority(&client)
    };
    let get_token = || authority.client_credentials(None, setup.resource());
    // The server accepts each client assertion once only.
    let grant = get_token().await.unwrap();
    assert_eq!(setup.server.count(Part::Token), 2);
    get_token().await.unwrap();
    assert_eq!(setup.server.count(Part::Token), 3);
    setup.server.change_nonces();
    get_token().await.unwrap();
    assert_eq!(setup.server.count(Part::Token), 5);

    let url = Url::parse(&setup.upstream.url()).unwrap();
    let response = call(&setup, &grant, &dpop, "DPoP").await;
    assert_eq!(response.status(), 401);
    assert!(dpop.store_nonce(&url, response.headers()));
    assert_eq!(call(&setup, &grant, &dpop, "DPoP").await.status(), 200);
}

#[tokio::test]
async fn repeated_nonce_demand_ends_after_two_requests() {
    let (client, server) = public();
    let endless = server.dpop(Dpop::Optional).intercept(|request| {
        let refusal = Reply::json(r#"{"error":"use_dpop_nonce"}"#).with_status(400);
        let token = request.path.ends_with("/token");
        token.then(|| refusal.header("dpop-nonce", "once more"))
    });
    let setup = setup(endless).await;
    let key = DpopKey::generate().unwrap();
    let authority = Authority {
        dpop: Some(&key),
        ..setup.authority(&client)
    };
    let token = Secret::new("refresh".to_owned());
    let error = authority.refresh(&token, None, None).await.unwrap_err();
    assert!(matches!(&error, TokenError::Refused { error, .. } if error == "use_dpop_nonce"));
    assert_eq!(setup.server.count(Part::Token), 2);
}

#[tokio::test]
async fn dpop_token_for_a_request_without_proof_is_rejected() {
    let (client, server) = public();
    let bound = server.intercept(|request| {
        let body = r#"{"access_token":"a","token_type":"DPoP"}"#;
        request.path.ends_with("/token").then(|| Reply::json(body))
    });
    let setup = setup(bound).await;
    let token = Secret::new("refresh".to_owned());
    let answered = setup.authority(&client).refresh(&token, None, None).await;
    assert!(matches!(answered, Err(TokenError::Malformed { .. })));
}
