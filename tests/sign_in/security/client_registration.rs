//! Which OAuth client the proxy uses: only one that is registered.

use serde_json::{Value, json};

use crate::security::{Setup, call, failing_call, setup, sign_in, sign_in_by, started};
use testkit::oauth::{self, AuthMethod, Browser, Part, Registration};
use testkit::raw::Reply;

/// The redirect URI of the last authorization request.
fn redirect_uri(setup: &Setup) -> String {
    setup
        .authorization()
        .get("redirect_uri")
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn registered_secret_survives_a_restart_with_its_auth_method() {
    for method in [AuthMethod::Basic, AuthMethod::Post, AuthMethod::None] {
        let setup = setup(oauth::server().registers_as(method)).await;
        drop(setup.signed_in(Value::Null).await);
        setup.expire();

        let mut client = setup.start(Value::Null).await;
        client.wait_for_tools(&["search"]).await;
        call(&mut client).await;
        assert_eq!(setup.server.grants("refresh_token").len(), 1, "{method:?}");
        assert_eq!(setup.server.refusals(), [], "{method:?}");
        assert_eq!(setup.server.count(Part::Registration), 1);
        assert_eq!(setup.server.count(Part::Authorization), 1);
    }
}

#[tokio::test]
async fn missing_client_is_reported_with_what_to_register_and_where() {
    let setup = setup(oauth::server().registration(Registration::Off)).await;
    let client = setup.start(Value::Null).await;
    client.wait_for_stderr("has no client registration").await;
    let stderr = client.stderr();
    for part in [
        "`oauth.client_id`",
        "`PROXY_A_CLIENT_ID`",
        &setup.server.issuer(),
    ] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
    let (_, uri) = stderr.split_once("the redirect URI `").unwrap();
    let uri = uri.split('`').next().unwrap().to_owned();
    assert!(
        uri.starts_with("http://127.0.0.1:") && uri.ends_with("/callback"),
        "{uri}"
    );
    drop(client);

    // A client registered as the message says works, even with exact redirect URIs.
    let known = oauth::client("by-hand").redirect_uri(&uri);
    let server = oauth::server()
        .registration(Registration::Off)
        .exact_ports();
    let server = server.client(known).start().await;
    setup.upstream.move_to(&server);
    let client = started(setup.proxy(Value::Null).env("PROXY_A_CLIENT_ID", "by-hand")).await;
    assert_eq!(sign_in(&client).await.status, 200);
    assert_eq!(server.count(Part::Token), 1);
}

#[tokio::test]
async fn failed_registration_stores_no_client() {
    let refused = r#"{"error":"invalid_client_metadata","error_description":"not today"}"#;
    for (status, body) in [
        (400, refused),
        (403, ""),
        (201, "{}"),
        (201, r#"{"client_id":""}"#),
    ] {
        let server = oauth::server().intercept(move |request| {
            let reply = || Reply::json(body).with_status(status);
            (request.path == "/register").then(reply)
        });
        let setup = setup(server).await;
        let client = setup.start(Value::Null).await;
        client.wait_for_stderr("not connected").await;
        let stderr = client.stderr();
        assert!(stderr.contains("the authorization server"), "{stderr}");
        assert!(!stderr.contains("client_id="), "{stderr}");
        assert_eq!(setup.server.count(Part::Authorization), 0);
        assert!(!setup.path("client-info.json").exists());
    }
}

#[tokio::test]
async fn failed_registration_is_retried() {
    let setup = setup(oauth::server()).await;
    setup.server.fail(Part::Registration, 503);
    let client = setup.start(Value::Null).await;
    client.wait_for_stderr("try again later").await;
    setup.server.recover(Part::Registration);
    assert_eq!(sign_in(&client).await.status, 200);
}

#[tokio::test]
async fn fixed_redirect_uri_is_used_exactly() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let uri = format!("http://localhost:{port}/oauth/back");
    let known = oauth::client("by-hand")
        .secret_basic("s:e cret")
        .redirect_uri(&uri);
    let server = oauth::server()
        .registration(Registration::Off)
        .exact_ports();
    let setup = setup(server.client(known)).await;
    let keys = json!({"client_id": "by-hand", "client_secret": "s:e cret", "redirect_uri": uri});
    let mut client = setup.signed_in(keys).await;
    call(&mut client).await;
    assert_eq!(redirect_uri(&setup), uri);
    assert_eq!(setup.server.refusals(), []);
}

#[tokio::test]
async fn occupied_fixed_port_is_reported_and_not_replaced() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/callback", taken.local_addr().unwrap());
    let known = oauth::client("by-hand").redirect_uri(&uri);
    let setup = setup(oauth::server().client(known)).await;
    let keys = json!({"client_id": "by-hand", "redirect_uri": uri});
    let client = setup.start(keys).await;
    let expected = format!("another program listens at the redirect URI `{uri}`");
    client.wait_for_stderr(&expected).await;
    assert!(client.stderr().contains("`oauth.redirect_uri`"));
    assert!(!client.stderr().contains("/authorize"));
}

#[tokio::test]
async fn client_of_another_issuer_is_neither_used_nor_replaced() {
    let known = || oauth::client("by-hand").redirect_uri("http://127.0.0.1/callback");
    let setup = setup(oauth::server().client(known())).await;
    let keys = json!({"client_id": "by-hand"});
    drop(setup.signed_in(keys.clone()).await);

    let other = oauth::server().client(known()).start().await;
    setup.upstream.move_to(&other);
    let mut client = setup.start(keys.clone()).await;
    client.wait_for_stderr("is not registered").await;
    let stderr = client.stderr();
    for part in [
        setup.server.issuer(),
        other.issuer(),
        "mcp-manifold logout a".to_owned(),
    ] {
        assert!(stderr.contains(&part), "no {part} in {stderr}");
    }
    failing_call(&mut client).await;
    assert_eq!(other.count(Part::Registration), 0);
    assert_eq!(other.count(Part::Authorization), 0);
    assert_eq!(other.count(Part::Token), 0);
    drop(client);

    // A configured issuer confirms the change.
    let pinned = json!({"client_id": "by-hand", "authorization_server": other.issuer()});
    let mut client = started(setup.proxy(pinned)).await;
    sign_in(&client).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
}

#[tokio::test]
async fn client_metadata_url_is_used_if_the_server_supports_it() {
    // The document that this program publishes, at the URL of its host.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/client-metadata.json");
    let text = std::fs::read_to_string(path).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let url = document["client_id"].as_str().unwrap().to_owned();
    let server = oauth::server().client_document(&url, document);
    let setup = setup(server).await;
    let keys = json!({"client_metadata_url": url});
    let mut client = setup.signed_in(keys).await;
    call(&mut client).await;
    assert_eq!(setup.authorization().get("client_id"), Some(url.as_str()));
    assert_eq!(setup.server.count(Part::Registration), 0);
    assert_eq!(setup.server.refusals(), []);

    // The renewal uses the same client.
    setup.expire();
    call(&mut client).await;
    assert_eq!(
        setup.server.grants("refresh_token")[0].get("client_id"),
        Some(url.as_str())
    );
}

#[tokio::test]
async fn client_metadata_url_is_unused_without_server_support() {
    let setup = setup(oauth::server()).await;
    let keys = json!({"client_metadata_url": "https://example.com/client.json"});
    call(&mut setup.signed_in(keys).await).await;
    assert_eq!(setup.server.count(Part::Registration), 1);
}

#[tokio::test]
async fn registration_declares_a_native_application() {
    let setup = setup(oauth::server()).await;
    let client = setup.start(Value::Null).await;
    sign_in_by(&client, &Browser::silent()).await;
    let registration = setup.server.requests_for(Part::Registration)[0].json();
    assert_eq!(registration["application_type"], "native");
    assert_eq!(registration["redirect_uris"], json!([redirect_uri(&setup)]));
    assert_eq!(registration["token_endpoint_auth_method"], "none");
}
