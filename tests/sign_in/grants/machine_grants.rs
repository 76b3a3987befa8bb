//! Grants without a user: client credentials, JWT assertions, enterprise identity providers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use mcp_manifold::config::{Enterprise, Secret};
use mcp_manifold::oauth::{Authority, Issuer, SigningKey, TokenError, request_id_assertion};
use serde_json::{Value, json};
use url::Url;

use crate::grants::{client, setup, url_of};
use mcp_manifold::net::Clients;
use testkit::Endpoint;
use testkit::oauth::{self, Key};

#[tokio::test]
async fn client_credentials_work_with_a_secret_or_a_key() {
    let odd = "s:e cret+%";
    for (known, secret) in [
        (oauth::client("machine").secret_basic(odd), odd),
        (oauth::client("machine:2").secret_basic("plain"), "plain"),
    ] {
        let id = if secret == odd {
            "machine"
        } else {
            "machine:2"
        };
        let setup = setup(oauth::server().client(known).scopes("read")).await;
        let client = client(id, Some(secret));
        let authority = setup.authority(&client);
        let grant = authority.client_credentials(Some("read"), setup.resource());
        let grant = grant.await.unwrap();
        assert!(setup.server.accepts(grant.access_token.expose()));
        assert!(grant.refresh_token.is_none());
    }
    for key in [Key::es256(), Key::rs256()] {
        let known = oauth::client("machine").private_key(&key);
        // With a path, so that the issuer differs from the origin.
        let setup = setup(oauth::server().issuer_path("/tenant").client(known)).await;
        let client = client("machine", None);
        let signing = SigningKey::new(&Secret::new(key.private_pem()), key.algorithm).unwrap();
        let authority = Authority {
            key: Some(&signing),
            ..setup.authority(&client)
        };
        for _ in 0..2 {
            let grant = authority.client_credentials(None, setup.resource()).await;
            assert!(setup.server.accepts(grant.unwrap().access_token.expose()));
        }
        let sent = setup.server.grants("client_credentials");
        let assertion = sent[0].get("client_assertion").unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(
            claims["aud"],
            setup.server.issuer(),
            "the issuer, not the endpoint"
        );
        setup.assert_shows_nothing(&format!("{authority:?}"));
    }
}

#[tokio::test]
async fn secret_is_sent_in_the_body_if_the_server_requires_it() {
    let known = oauth::client("machine").secret_post("secret");
    let methods = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]});
    let setup = setup(oauth::server().client(known).metadata_with(methods)).await;
    let client = client("machine", Some("secret"));
    let grant = setup
        .authority(&client)
        .client_credentials(None, setup.resource())
        .await;
    assert!(setup.server.accepts(grant.unwrap().access_token.expose()));
}

#[tokio::test]
async fn jwt_bearer_grant_works_and_bad_assertion_is_sent_once() {
    let (key, issuer) = (Key::es256(), "https://workloads.example");
    let known = oauth::client("workload");
    let setup = setup(
        oauth::server()
            .client(known)
            .trusts(issuer, &key)
            .scopes("read"),
    )
    .await;
    let client = client("workload", None);
    let authority = setup.authority(&client);
    let signed = |changes| Secret::new(key.sign(&setup.server.claims(issuer, &changes)));
    let (authority, resource) = (&authority, setup.resource());
    let get_token = |assertion: Secret, scope| async move {
        authority.jwt_bearer(&assertion, scope, resource).await
    };
    let grant = get_token(signed(json!({})), Some("read")).await.unwrap();
    assert!(setup.server.accepts(grant.access_token.expose()));
    assert_eq!(grant.scope.as_deref(), Some("read"));

    for (changes, scope, error) in [
        (
            json!({"aud": "https://elsewhere.example"}),
            None,
            "invalid_grant",
        ),
        (json!({"exp": 1}), None, "invalid_grant"),
        (json!({}), Some("admin"), "invalid_scope"),
    ] {
        let before = setup
            .server
            .grants("urn:ietf:params:oauth:grant-type:jwt-bearer")
            .len();
        let refused = get_token(signed(changes), scope).await.unwrap_err();
        match error {
            "invalid_grant" => assert!(matches!(refused, TokenError::InvalidGrant { .. })),
            _ => assert!(matches!(&refused, TokenError::Refused { error: it, .. } if it == error)),
        }
        let after = setup
            .server
            .grants("urn:ietf:params:oauth:grant-type:jwt-bearer")
            .len();
        assert_eq!(after, before + 1);
        setup.assert_shows_nothing(&format!("{refused} {refused:?}"));
    }
}

#[tokio::test]
async fn enterprise_grant_exchanges_an_id_token() {
    let (provider, server) = oauth::enterprise().await;
    let setup = setup(server.scopes("read")).await;
    let audience = Issuer::parse(
        "issuer",
        &setup.server.issuer(),
        &url_of(&setup.upstream.url()),
    );
    let audience = audience.unwrap();
    let token_endpoint = Url::parse(&provider.url_of("/token")).unwrap();
    let secret = Secret::new("home-secret".to_owned());
    let id_token = Secret::new(provider.id_token("at-home"));
    let user = Enterprise {
        idp_client_id: "at-home".to_owned(),
        idp_client_secret: Some(secret),
        idp_id_token: id_token.clone(),
        idp_issuer: None,
        idp_token_endpoint: token_endpoint,
    };
    let get_token = |user, resource| {
        request_id_assertion(&setup.clients, user, &audience, resource, Some("read"))
    };

    let assertion = get_token(&user, &setup.resource).await.unwrap();
    let client = client("at-server", Some("server-secret"));
    let authority = setup.authority(&client);
    let grant = authority
        .jwt_bearer(&assertion, Some("read"), setup.resource())
        .await;
    assert!(setup.server.accepts(grant.unwrap().access_token.expose()));

    let elsewhere = get_token(&user, "https://elsewhere.example/mcp")
        .await
        .unwrap();
    let refused = authority
        .jwt_bearer(&elsewhere, None, setup.resource())
        .await;
    assert!(matches!(refused, Err(TokenError::InvalidGrant { .. })));
    let other = Secret::new(provider.id_token("another-client"));
    let other = Enterprise {
        idp_id_token: other,
        ..user.clone()
    };
    let refused = get_token(&other, &setup.resource).await.unwrap_err();
    assert!(matches!(refused, TokenError::InvalidGrant { .. }));
    setup.assert_shows_nothing(&format!("{refused:?} {user:?}"));
    assert!(!format!("{user:?}").contains(id_token.expose()));
}

#[tokio::test]
async fn token_of_another_type_is_no_identity_assertion() {
    use testkit::raw::{self, Reply};
    let access = r#"{"access_token":"a","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"}"#;
    let provider = raw::server(move |_| std::future::ready(Reply::json(access)));
    let token_endpoint = Url::parse(&provider.url_of("/token")).unwrap();
    let id_token = Secret::new("id".to_owned());
    let user = Enterprise {
        idp_client_id: "at-home".to_owned(),
        idp_client_secret: None,
        idp_id_token: id_token,
        idp_issuer: None,
        idp_token_endpoint: token_endpoint,
    };
    let upstream = url_of("https://mcp.example/mcp");
    let audience = Issuer::parse("issuer", "https://id.example", &upstream).unwrap();
    let got = request_id_assertion(
        &Clients::default(),
        &user,
        &audience,
        "https://mcp.example/mcp",
        None,
    )
    .await;
    assert!(matches!(got, Err(TokenError::Malformed { .. })));
    let sent = String::from_utf8(provider.requests()[0].body.clone()).unwrap();
    assert!(
        sent.contains("client_id=at-home"),
        "a client without a secret is named: {sent}"
    );
}
