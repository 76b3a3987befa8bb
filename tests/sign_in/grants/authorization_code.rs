//! The authorization code grant: exchange, refresh and revocation.

use mcp_manifold::config::Secret;
use mcp_manifold::oauth::{Timestamp, TokenError};

use crate::grants::{CALLBACK, public, setup};
use testkit::oauth::{Params, Part, scopes};

#[tokio::test]
async fn code_is_exchanged_for_tokens_the_upstream_accepts() {
    let (client, server) = public();
    let setup = setup(server.scopes("read write")).await;
    let before = Timestamp::now();
    let grant = setup
        .signed_in(&setup.authority(&client), "read write")
        .await;
    assert!(setup.server.accepts(grant.access_token.expose()));
    assert_eq!(grant.token_type, "bearer");
    assert_eq!(
        scopes(grant.scope.as_deref().unwrap()),
        scopes("read write")
    );
    assert!(grant.issued_at >= before && grant.issued_at <= Timestamp::now());
    assert_eq!(grant.expires_at, Some(Timestamp(grant.issued_at.0 + 3600)));
    assert!(grant.refresh_token.is_some());
    assert_eq!(setup.server.refusals(), []);
    setup.assert_shows_nothing(&format!("{grant:?} {:?}", setup.authority(&client)));
}

#[tokio::test]
async fn rejected_code_is_an_invalid_grant() {
    let (client, server) = public();
    let setup = setup(server).await;
    let authority = setup.authority(&client);
    let (code, request) = setup.code(&client, "").await;
    let (verifier, resource) = (&request.verifier, setup.resource());
    let wrong = Secret::new("v".repeat(43));
    let refused = authority
        .exchange_code(&code, &wrong, CALLBACK, resource)
        .await;
    let expected = TokenError::InvalidGrant {
        description: Some("`code_verifier` is wrong".to_owned()),
    };
    assert_eq!(refused.unwrap_err(), expected);
    let spent = authority
        .exchange_code(&code, verifier, CALLBACK, resource)
        .await;
    assert!(matches!(spent, Err(TokenError::InvalidGrant { .. })));
    let elsewhere = authority
        .exchange_code(&code, verifier, "no address", resource)
        .await;
    assert!(matches!(elsewhere, Err(TokenError::Malformed { .. })));
}

#[tokio::test]
async fn refresh_sends_scope_and_resource_and_rotates_the_token() {
    let (client, server) = public();
    let setup = setup(server.scopes("read").scope_on_refresh()).await;
    let authority = setup.authority(&client);
    let first = setup.signed_in(&authority, "read").await;
    let token = first.refresh_token.unwrap();
    let second = authority
        .refresh(&token, first.scope.as_deref(), setup.resource())
        .await;
    let second = second.unwrap();
    assert!(setup.server.accepts(second.access_token.expose()));
    assert_ne!(second.access_token, first.access_token);
    assert_ne!(second.refresh_token.unwrap(), token);
    let sent: &[Params] = &setup.server.grants("refresh_token");
    assert_eq!(sent[0].get("scope"), Some("read"));
    assert_eq!(sent[0].get("resource"), setup.resource());
    assert_eq!(sent[0].get("client_id"), Some("client"));

    let again = authority
        .refresh(&token, Some("read"), setup.resource())
        .await;
    assert!(matches!(again, Err(TokenError::InvalidGrant { .. })));
}

#[tokio::test]
async fn token_endpoint_failure_is_transient_and_shows_no_token() {
    let (client, server) = public();
    let setup = setup(server).await;
    let authority = setup.authority(&client);
    let token = setup.signed_in(&authority, "").await.refresh_token.unwrap();
    let refresh = || authority.refresh(&token, None, setup.resource());
    for status in [500, 502, 503, 429] {
        setup.server.fail(Part::Token, status);
        let error = refresh().await.unwrap_err();
        assert!(error.is_transient(), "{status}: {error}");
    }
    setup.server.recover(Part::Token);
    setup.server.lose_answer(Part::Token);
    let error = refresh().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    setup.assert_shows_nothing(&format!("{error} {error:?}"));
}

#[tokio::test]
async fn client_unknown_to_the_server_is_an_invalid_client() {
    let (client, server) = public();
    let setup = setup(server).await;
    let authority = setup.authority(&client);
    let token = setup.signed_in(&authority, "").await.refresh_token.unwrap();
    setup.server.forget_clients();
    let refused = authority.refresh(&token, None, setup.resource()).await;
    assert!(matches!(refused, Err(TokenError::InvalidClient { .. })));
}

#[tokio::test]
async fn revoked_token_is_no_longer_accepted() {
    let (client, server) = public();
    let setup = setup(server).await;
    let authority = setup.authority(&client);
    let grant = setup.signed_in(&authority, "").await;
    let token = grant.refresh_token.unwrap();
    authority.revoke(&token, "refresh_token").await.unwrap();
    assert!(!setup.server.accepts(grant.access_token.expose()));
    let unknown = Secret::new("unknown".to_owned());
    authority.revoke(&unknown, "access_token").await.unwrap();

    setup.server.fail(Part::Revocation, 503);
    assert!(
        authority
            .revoke(&token, "refresh_token")
            .await
            .unwrap_err()
            .is_transient()
    );
}

#[tokio::test]
async fn missing_revocation_endpoint_is_an_error() {
    let (client, server) = public();
    let setup = setup(server.without_revocation()).await;
    let (authority, token) = (setup.authority(&client), Secret::new("t".to_owned()));
    let error = authority.revoke(&token, "access_token").await.unwrap_err();
    assert!(matches!(error, TokenError::Unsupported { .. }));
    let issuer = setup.server.issuer();
    let expected = format!("the authorization server `{issuer}` has no token revocation");
    assert_eq!(error.to_string(), expected);
}
