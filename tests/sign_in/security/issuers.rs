//! Issuers are compared character by character, in callbacks and before secrets are sent.

use serde_json::{Value, json};

use crate::security::{Setup, call, setup, sign_in, sign_in_by, started, with_params};
use testkit::oauth::{self, Browser, Iss, Part};
use testkit::raw::Request;

/// A browser whose callback has these parameters changed.
fn with_forged_params(changes: &'static [(&'static str, Option<&'static str>)]) -> Browser {
    Browser::consenting().altering(move |url| with_params(url, changes))
}

/// Runs a sign-in whose callback must be rejected without a code exchange. Returns stderr.
async fn rejected_callback(setup: &Setup, browser: Browser) -> String {
    let client = setup.start(Value::Null).await;
    let page = sign_in_by(&client, &browser).await;
    assert!(!page.text.contains("You are signed in"), "{}", page.text);
    client.wait_for_stderr("the sign-in failed").await;
    assert_eq!(setup.server.count(Part::Token), 0, "the code was spent");
    client.stderr()
}

#[tokio::test]
async fn callback_of_another_issuer_is_rejected() {
    let server = || async { setup(oauth::server()).await };
    let wrong = with_forged_params(&[("iss", Some("https://evil.example"))]);
    let stderr = rejected_callback(&server().await, wrong).await;
    assert!(
        stderr.contains("from `https://evil.example` instead of"),
        "{stderr}"
    );

    let missing = with_forged_params(&[("iss", None)]);
    let stderr = rejected_callback(&server().await, missing).await;
    assert!(stderr.contains("does not name its issuer"), "{stderr}");

    let slashed = Browser::consenting().altering(|url| {
        let iss = url.query_pairs().find(|(name, _)| name == "iss").unwrap().1;
        let slashed = format!("{iss}/");
        with_params(url, &[("iss", Some(slashed.as_str()))]);
    });
    let stderr = rejected_callback(&server().await, slashed).await;
    assert!(stderr.contains("instead of"), "{stderr}");
}

#[tokio::test]
async fn unannounced_iss_parameter_is_checked_too() {
    let silent = oauth::server().iss(Iss::Off);
    let wrong = with_forged_params(&[("iss", Some("https://evil.example"))]);
    rejected_callback(&setup(silent).await, wrong).await;

    let silent = setup(oauth::server().iss(Iss::Off)).await;
    call(&mut silent.signed_in(Value::Null).await).await;
}

#[tokio::test]
async fn error_text_of_another_issuer_is_not_shown() {
    const FORGED: [(&str, Option<&str>); 4] = [
        ("code", None),
        ("error", Some("access_denied")),
        ("error_description", Some("visit evil.example")),
        ("iss", Some("https://evil.example")),
    ];
    let stderr =
        rejected_callback(&setup(oauth::server()).await, with_forged_params(&FORGED)).await;
    assert!(!stderr.contains("visit"), "{stderr}");
    assert!(!stderr.contains("denied"), "{stderr}");

    const UNSIGNED: [(&str, Option<&str>); 4] = [FORGED[0], FORGED[1], FORGED[2], ("iss", None)];
    let stderr =
        rejected_callback(&setup(oauth::server()).await, with_forged_params(&UNSIGNED)).await;
    assert!(!stderr.contains("visit"), "{stderr}");
}

#[tokio::test]
async fn denied_sign_in_is_reported_as_denied() {
    let setup = setup(oauth::server()).await;
    let stderr = rejected_callback(&setup, Browser::denying()).await;
    assert!(stderr.contains("the sign-in was denied"), "{stderr}");
}

#[tokio::test]
async fn callback_with_another_state_changes_nothing() {
    let setup = setup(oauth::server()).await;
    let mut client = setup.start(Value::Null).await;
    let page = client.sign_in_page("a", 0).await;
    let browser = Browser::consenting();
    let right = browser.redirect(&page).await.unwrap();
    for changes in [
        &[("state", Some("another"))][..],
        &[("state", None)],
        &[
            ("state", Some("another")),
            ("code", None),
            ("error", Some("access_denied")),
        ],
    ] {
        let mut stray = right.clone();
        with_params(&mut stray, changes);
        assert_ne!(browser.deliver(&stray).await.status, 200);
    }
    assert_eq!(setup.server.count(Part::Token), 0);
    // The login still accepts its own callback, once.
    assert_eq!(browser.deliver(&right).await.status, 200);
    client.wait_for_tools(&["search"]).await;
    assert_eq!(setup.server.count(Part::Token), 1);
}

/// Whether any of these requests holds one of `secrets`.
fn leaks(requests: &[Request], secrets: &[String]) -> bool {
    requests.iter().any(|request| {
        let text = format!("{} {:?} {}", request.path, request.headers, request.text());
        secrets.iter().any(|secret| text.contains(secret.as_str()))
    })
}

#[tokio::test]
async fn new_issuer_gets_its_own_registration_and_no_secret() {
    let setup = setup(oauth::server()).await;
    drop(setup.signed_in(Value::Null).await);
    let first_client = setup.stored("client-info.json")["client_id"].clone();
    let other = oauth::server().start().await;
    setup.upstream.move_to(&other);
    setup.expire();

    let mut client = setup.start(Value::Null).await;
    sign_in(&client).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    let tokens = setup.stored("tokens.json");
    assert_eq!(tokens["issuer"], other.issuer());
    assert_ne!(tokens["client_id"], first_client);
    assert_eq!(other.count(Part::Registration), 1);
    assert!(other.grants("refresh_token").is_empty());
    assert!(!leaks(&other.requests(), &setup.server.secrets()));
    assert_eq!(setup.server.reuses(), 0);
}

#[tokio::test]
async fn refresh_token_is_not_sent_to_a_new_issuer() {
    // The cached metadata is removed too, so that the refresh requests it again.
    let setup = setup(oauth::server()).await;
    let mut client = setup.signed_in(Value::Null).await;
    let other = oauth::server().start().await;
    setup.upstream.move_to(&other);
    setup.expire();
    std::fs::remove_file(setup.path("metadata.json")).unwrap();
    crate::security::failing_call(&mut client).await;
    assert!(other.grants("refresh_token").is_empty());
    assert!(!leaks(&other.requests(), &setup.server.secrets()));
}

#[tokio::test]
async fn metadata_of_another_issuer_is_rejected() {
    for issuer in ["https://evil.example", "http://127.0.0.1:1"] {
        let server = oauth::server().metadata_with(json!({"issuer": issuer}));
        let setup = setup(server).await;
        let client = setup.start(Value::Null).await;
        client
            .wait_for_stderr(&format!("calls itself `{issuer}`"))
            .await;
        assert_eq!(setup.server.count(Part::Registration), 0);
    }
    // A trailing slash makes another issuer.
    let server = oauth::server().start().await;
    let tools = testkit::upstream::modern().tool("search");
    let slashed = json!({"authorization_servers": [format!("{}/", server.issuer())]});
    let upstream = oauth::protect(&server, tools)
        .document_with(slashed)
        .start()
        .await;
    let client = started(crate::security::proxy::new().upstream("a", &upstream)).await;
    client.wait_for_stderr("calls itself").await;
    assert_eq!(server.count(Part::Registration), 0);
}
