//! Refresh tokens: rotation, reuse, issuance and revocation.

use std::time::Duration;

use crate::kit::oauth::raw_client::{Answer, CALLBACK, Form, Setup, app, post, setup};
use testkit::Endpoint;
use testkit::oauth::{self, Part, client};

#[tokio::test]
async fn refresh_token_rotates_and_its_reuse_revokes_the_family() {
    let setup = setup(oauth::server()).await;
    let bystander = setup.login("").await;
    let first = setup.login("").await;
    let refresh = setup.refresh(first.text("refresh_token"));
    let second = setup.token(&refresh).await;
    assert_ne!(first.body["refresh_token"], second.body["refresh_token"]);
    assert_eq!((setup.server.reuses(), setup.server.revoked()), (0, 0));

    assert_eq!(setup.token(&refresh).await.error(), "invalid_grant");
    assert_eq!((setup.server.reuses(), setup.server.revoked()), (1, 1));
    let third = setup.refresh(second.text("refresh_token"));
    assert_eq!(setup.token(&third).await.error(), "invalid_grant");
    for dead in [&first, &second] {
        assert!(!setup.server.accepts(dead.text("access_token")));
    }
    assert!(setup.server.accepts(bystander.text("access_token")));
    let refresh = setup.refresh(bystander.text("refresh_token"));
    assert_eq!(setup.token(&refresh).await.status, 200);
    let refused = (Part::Token, "invalid_grant");
    assert_eq!(setup.server.refusals(), [refused, refused]);
}

#[tokio::test]
async fn invalid_refresh_is_rejected_and_spends_no_token() {
    let builder = oauth::server().scopes("read write").client(client("other"));
    let setup = setup(builder.scope_on_refresh()).await;
    let login = setup.login("read").await;
    let good = setup.refresh(login.text("refresh_token"));
    let good = good.with("scope", "read");
    for (name, value, error) in [
        ("resource", None, "invalid_target"),
        (
            "resource",
            Some("https://example.com/mcp"),
            "invalid_target",
        ),
        ("scope", Some("read write"), "invalid_scope"),
        ("scope", None, "invalid_request"),
        ("client_id", Some("other"), "invalid_grant"),
        ("client_id", Some("unknown"), "invalid_client"),
        ("refresh_token", Some("unknown-refresh"), "invalid_grant"),
        ("refresh_token", None, "invalid_request"),
    ] {
        let answer = setup.token(&good.clone().with(name, value)).await;
        assert_eq!(answer.error(), error, "{name}: {value:?}");
    }
    let answer = setup.token(&good).await;
    assert_eq!(
        (answer.status, &answer.body["scope"]),
        (200, &"read".into())
    );
}

#[tokio::test]
async fn refresh_may_request_fewer_scopes_and_keeps_the_rest() {
    let setup = setup(oauth::server().scopes("read write")).await;
    let login = setup.login("read write").await;
    let less = setup.refresh(login.text("refresh_token"));
    let less = setup.token(&less.with("scope", "read")).await;
    assert_eq!(less.body["scope"], "read");
    let all = setup.refresh(less.text("refresh_token"));
    assert_eq!(setup.token(&all).await.body["scope"], "read write");
}

#[tokio::test]
async fn refresh_token_stays_without_rotation() {
    let setup = setup(oauth::server().without_rotation()).await;
    let login = setup.login("").await;
    let refresh = setup.refresh(login.text("refresh_token"));
    for _ in 0..2 {
        let answer = setup.token(&refresh).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body["refresh_token"].is_null());
    }
    setup.server.expire_refresh_tokens();
    assert_eq!(setup.token(&refresh).await.error(), "invalid_grant");
}

#[tokio::test]
async fn refresh_token_is_issued_to_entitled_clients_only() {
    let gets_one = |answer: &Answer| answer.body["refresh_token"].is_string();
    let never = setup(oauth::server().without_refresh_tokens()).await;
    assert!(!gets_one(&never.login("").await));
    let offline = setup(oauth::server().scopes("read").offline_access()).await;
    assert!(!gets_one(&offline.login("read").await));
    assert!(gets_one(&offline.login("read offline_access").await));

    let plain = client("plain").redirect_uri(CALLBACK);
    let plain = plain.grants(["authorization_code"]);
    let registered = setup(oauth::server().client(plain)).await;
    let request = registered.request("").with("client_id", "plain");
    let back = registered.back(&request).await;
    let exchange = registered.exchange(back["code"].as_str().unwrap());
    let answer = registered.token(&exchange.with("client_id", "plain")).await;
    assert!(answer.status == 200 && !gets_one(&answer));
    let refresh = registered.refresh("any").with("client_id", "plain");
    let answer = registered.token(&refresh).await;
    assert_eq!(answer.error(), "unauthorized_client");
}

async fn revoke(setup: &Setup, client: &str, token: &str) -> Answer {
    let form = Form::new(&[("client_id", client), ("token", token)]);
    post(&setup.server.url_of("/revoke"), &[], &form).await
}

#[tokio::test]
async fn token_is_revoked_by_its_own_client_only() {
    let setup = setup(oauth::server().client(client("other"))).await;
    let (one, two) = (setup.login("").await, setup.login("").await);
    let access = one.text("access_token");
    let answer = revoke(&setup, "other", access).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert!(setup.server.accepts(access));

    assert_eq!(revoke(&setup, "app", access).await.status, 200);
    assert!(!setup.server.accepts(access));
    let refresh = setup.refresh(one.text("refresh_token"));
    assert_eq!(setup.token(&refresh).await.status, 200);

    let refresh = two.text("refresh_token");
    assert_eq!(revoke(&setup, "app", refresh).await.status, 200);
    assert!(!setup.server.accepts(two.text("access_token")));
    let refresh = setup.token(&setup.refresh(refresh)).await;
    assert_eq!(refresh.error(), "invalid_grant");
    assert_eq!(revoke(&setup, "app", "unknown").await.status, 200);
    assert_eq!(setup.server.reuses(), 0);

    let without = oauth::server().without_revocation().client(app());
    let without = without.start().await;
    let form = Form::new(&[("client_id", "app"), ("token", "x")]);
    let answer = post(&without.url_of("/revoke"), &[], &form).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn token_expires_in_milliseconds_and_states_a_given_lifetime() {
    let brief = oauth::server().access_lifetime(Duration::from_millis(1));
    let brief = setup(brief.announced_lifetime(Some(3600))).await;
    let login = brief.login("").await;
    assert_eq!(login.body["expires_in"], 3600);
    // Polls, since the token expires by the clock of the server.
    while brief.server.accepts(login.text("access_token")) {
        tokio::task::yield_now().await;
    }
    let silent = setup(oauth::server().announced_lifetime(None)).await;
    let login = silent.login("").await;
    assert!(login.body["expires_in"].is_null());
    assert!(silent.server.accepts(login.text("access_token")));

    let brief = setup(oauth::server().refresh_lifetime(Duration::ZERO)).await;
    let login = brief.login("").await;
    let refresh = brief.refresh(login.text("refresh_token"));
    assert_eq!(brief.token(&refresh).await.error(), "invalid_grant");
    assert_ne!(brief.upstream.url(), silent.upstream.url());
}
