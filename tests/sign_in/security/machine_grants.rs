//! Grants without a local browser: client credentials, assertions, another device.

use std::time::Duration;

use serde_json::{Value, json};

use crate::security::{Setup, call, setup, setup_with, started};
use testkit::oauth::{self, Browser, Key, Part, scopes};
use testkit::proxy::Client;

/// Starts a client that lists and calls tools without a sign-in.
async fn connect_without_sign_in(setup: &Setup, keys: Value) -> Client {
    let mut client = setup.start(keys).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    assert_eq!(setup.server.count(Part::Authorization), 0);
    assert_eq!(setup.server.count(Part::Registration), 0);
    assert_eq!(setup.server.refusals(), []);
    client
}

#[tokio::test]
async fn client_credentials_grant_works_with_a_secret() {
    let known = || oauth::client("nightly");
    for (known, method) in [
        (known().secret_basic("s:e cret"), "client_secret_basic"),
        (known().secret_post("s:e cret"), "client_secret_post"),
    ] {
        let methods = json!({"token_endpoint_auth_methods_supported": [method]});
        let server = oauth::server().client(known).metadata_with(methods);
        let server = server.scopes("read");
        let setup = setup_with(server, |it| it.scopes("read")).await;
        let keys = json!({
            "grant": "client_credentials", "client_id": "nightly", "client_secret": "s:e cret",
        });
        let mut client = connect_without_sign_in(&setup, keys).await;
        setup.expire();
        call(&mut client).await;
        let requests = setup.server.grants("client_credentials");
        assert_eq!(requests.len(), 2);
        assert!(
            requests
                .iter()
                .all(|it| it.scopes() == Some(scopes("read")))
        );
        assert_eq!(setup.server.refusals(), []);
    }
}

#[tokio::test]
async fn client_credentials_grant_works_with_a_key() {
    for key in [Key::es256(), Key::rs256()] {
        let known = oauth::client("nightly").private_key(&key);
        let setup = setup(oauth::server().client(known)).await;
        let keys = json!({
            "grant": "client_credentials", "client_id": "nightly",
            "private_key_pem": "${KEY}", "signing_algorithm": key.algorithm,
        });
        let proxy = setup.proxy(keys).env("KEY", key.private_pem());
        let mut client = started(proxy).await;
        client.wait_for_tools(&["search"]).await;
        setup.expire();
        call(&mut client).await;
        assert_eq!(setup.server.grants("client_credentials").len(), 2);
        assert_eq!(setup.server.refusals(), []);
    }
}

#[tokio::test]
async fn wrong_secret_is_sent_once_and_reported() {
    let known = oauth::client("nightly").secret_basic("right");
    let setup = setup(oauth::server().client(known)).await;
    let keys = json!({
        "grant": "client_credentials", "client_id": "nightly", "client_secret": "wrong-one",
    });
    let client = setup.start(keys).await;
    client.wait_for_stderr("rejects the client").await;
    let stderr = client.stderr();
    assert!(stderr.contains("`oauth.client_id`"), "{stderr}");
    assert!(!stderr.contains("wrong-one"), "{stderr}");
    assert_eq!(setup.server.count(Part::Token), 1);
}

#[tokio::test]
async fn jwt_bearer_grant_exchanges_an_assertion() {
    let (key, issuer) = (Key::es256(), "https://workloads.example");
    let server = oauth::server().client(oauth::client("workload"));
    let setup = setup(server.trusts(issuer, &key)).await;
    let assertion = key.sign(&setup.server.claims(issuer, &json!({})));
    let keys = json!({"grant": "jwt_bearer", "client_id": "workload", "assertion": assertion});
    drop(connect_without_sign_in(&setup, keys.clone()).await);
    // The token is stored, since the server accepts the assertion once only.
    drop(connect_without_sign_in(&setup, keys).await);
    let requests = setup
        .server
        .grants("urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn enterprise_grant_exchanges_an_id_token() {
    let (provider, server) = oauth::enterprise().await;
    let setup = setup(server).await;
    let keys = json!({
        "grant": "enterprise", "client_id": "at-server", "client_secret": "server-secret",
        "idp_client_id": "at-home", "idp_client_secret": "home-secret",
        "idp_id_token": provider.id_token("at-home"),
        "idp_token_endpoint": provider.url_of("/token"),
    });
    let mut client = connect_without_sign_in(&setup, keys).await;
    setup.expire();
    call(&mut client).await;
    assert_eq!(provider.count(Part::Token), 2);
    assert_eq!(provider.refusals(), []);
}

#[tokio::test]
async fn device_grant_signs_in_on_another_device() {
    let server = oauth::server().device_grant(Duration::from_secs(1));
    let setup = setup(server).await;
    let mut client = setup.start(json!({"grant": "device"})).await;
    let page = client.sign_in_page("a", 0).await;
    let code = page.split_once("user_code=").unwrap().1;
    let expected = format!("open {page} and enter {code}");
    assert!(client.stderr().contains(&expected), "{}", client.stderr());
    Browser::consenting().open(&page).await;
    client.wait_for_tools(&["search"]).await;
    setup.expire();
    call(&mut client).await;
    assert_eq!(setup.server.grants("refresh_token").len(), 1);
    assert_eq!(setup.server.count(Part::Authorization), 0);
}

#[tokio::test]
async fn missing_device_grant_is_reported() {
    let setup = setup(oauth::server()).await;
    let client = setup.start(json!({"grant": "device"})).await;
    client.wait_for_stderr("has no").await;
    assert!(!client.stderr().contains("/authorize"));
}
