//! Dynamic client registration and client authentication.

use mcp_manifold::oauth::{ClientMetadata, TokenError, register};
use serde_json::json;

use crate::grants::{CALLBACK, Setup, setup};
use testkit::oauth::{self, AuthMethod, Part};
use testkit::raw::Reply;

async fn register_client(
    setup: &Setup,
    scope: Option<&str>,
) -> Result<mcp_manifold::oauth::ClientInformation, TokenError> {
    let redirects = [CALLBACK.to_owned()];
    let metadata = ClientMetadata {
        redirect_uris: &redirects,
        grant_types: &["authorization_code", "refresh_token"],
        scope,
    };
    register(&setup.clients, &setup.found, &metadata).await
}

#[tokio::test]
async fn client_uses_the_auth_method_it_was_registered_with() {
    for method in [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post] {
        let setup = setup(oauth::server().registers_as(method)).await;
        let client = register_client(&setup, None).await.unwrap();
        assert_eq!(
            client.token_endpoint_auth_method.as_deref(),
            Some(method.name())
        );
        assert_eq!(client.client_secret.is_some(), method != AuthMethod::None);
        assert_eq!(client.issuer, setup.server.issuer());
        assert_eq!(
            client.other.0["client_id_issued_at"], 1_700_000_000,
            "all is kept"
        );
        let authority = setup.authority(&client);
        let grant = setup.signed_in(&authority, "").await;
        let token = grant.refresh_token.unwrap();
        authority
            .refresh(&token, None, setup.resource())
            .await
            .unwrap();
        authority.revoke(&token, "refresh_token").await.unwrap();
        assert_eq!(setup.server.refusals(), [], "{method:?}");
        assert!(!format!("{client:?}").contains("client-secret"));
    }
}

#[tokio::test]
async fn registration_request_describes_a_native_client() {
    let setup = setup(oauth::server()).await;
    register_client(&setup, None).await.unwrap();
    register_client(&setup, Some("read")).await.unwrap();
    let sent = setup.server.requests_for(Part::Registration);
    let expected = json!({
        "client_name": "mcp-manifold",
        "application_type": "native",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    assert_eq!(sent[0].json(), expected);
    assert_eq!(sent[1].json()["scope"], "read");
}

#[tokio::test]
async fn registration_response_may_have_empty_members() {
    let setup = setup(oauth::server().intercept(|request| {
        let body = r#"{"client_id":"c","client_secret":"","client_secret_expires_at":null,
            "redirect_uris":null,"token_endpoint_auth_method":null,"issuer":"https://other.example"}"#;
        let here = request.path.ends_with("/register");
        here.then(|| Reply::json(body).with_status(201))
    }));
    let setup = setup.await;
    let client = register_client(&setup, None).await.unwrap();
    assert_eq!(
        (client.client_id.as_str(), client.client_secret),
        ("c", None)
    );
    assert_eq!(
        client.issuer,
        setup.server.issuer(),
        "the issuer of the discovery"
    );
}

#[tokio::test]
async fn failed_registration_is_an_error() {
    let off = setup(oauth::server().registration(oauth::Registration::Off)).await;
    let error = register_client(&off, None).await.unwrap_err();
    let issuer = off.server.issuer();
    let expected = format!(
        "the authorization server `{issuer}` has no client registration; set `oauth.client_id`"
    );
    assert_eq!(error.to_string(), expected);

    let setup = setup(oauth::server()).await;
    setup.server.fail(Part::Registration, 503);
    assert!(
        register_client(&setup, None)
            .await
            .unwrap_err()
            .is_transient()
    );
    setup.server.fail(Part::Registration, 403);
    let error = register_client(&setup, None).await.unwrap_err();
    assert!(matches!(error, TokenError::Malformed { .. }), "{error}");
}
