//! The device authorization grant: the client polls until the user responds.

use std::time::Duration;

use crate::kit::oauth::raw_client::{APP, Answer, Form, Setup, post, setup};
use testkit::Endpoint;
use testkit::oauth::{self, Browser, Part, client};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(setup: &Setup, form: &Form) -> Answer {
    let url = setup.server.url_of("/device_authorization");
    post(&url, &[], form).await
}

fn request(setup: &Setup) -> Form {
    let resource = setup.upstream.url();
    Form::new(&[
        ("client_id", APP),
        ("resource", &resource),
        ("scope", "read"),
    ])
}

async fn poll(setup: &Setup, begun: &Answer) -> Answer {
    let form = request(setup).with("scope", None).with("grant_type", GRANT);
    let code = begun.text("device_code");
    setup.token(&form.with("device_code", code)).await
}

fn server(interval: u64) -> oauth::Builder {
    let server = oauth::server().scopes("read");
    server.device_grant(Duration::from_secs(interval))
}

#[tokio::test]
async fn device_gets_tokens_after_the_user_agreed() {
    let setup = setup(server(0)).await;
    let begun = begin(&setup, &request(&setup)).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    assert_eq!(poll(&setup, &begun).await.error(), "authorization_pending");
    let page = begun.text("verification_uri_complete");
    let page = Browser::consenting().open(page).await;
    assert_eq!(page.status, 200, "{}", page.text);

    let answer = poll(&setup, &begun).await;
    assert_eq!(answer.body["scope"], "read", "{answer:?}");
    assert!(setup.server.accepts(answer.text("access_token")));
    assert!(answer.body["refresh_token"].is_string());
    assert_eq!(poll(&setup, &begun).await.error(), "invalid_grant");
    assert_eq!(setup.server.count(Part::Device), 1);
    let code = begun.text("device_code").to_owned();
    assert!(setup.server.secrets().contains(&code));
}

#[tokio::test]
async fn denied_or_expired_device_gets_no_tokens() {
    let setup = setup(server(0)).await;
    let denied = begin(&setup, &request(&setup)).await;
    let page = denied.text("verification_uri_complete");
    Browser::denying().open(page).await;
    assert_eq!(poll(&setup, &denied).await.error(), "access_denied");

    let forgotten = begin(&setup, &request(&setup)).await;
    setup.server.expire_device_codes();
    assert_eq!(poll(&setup, &forgotten).await.error(), "expired_token");
    let page = forgotten.text("verification_uri_complete");
    assert_eq!(Browser::consenting().open(page).await.status, 400);
}

#[tokio::test]
async fn device_that_polls_too_often_must_slow_down() {
    let setup = setup(server(3600)).await;
    let begun = begin(&setup, &request(&setup)).await;
    assert_eq!(begun.body["interval"], 3600);
    assert_eq!(poll(&setup, &begun).await.error(), "authorization_pending");
    assert_eq!(poll(&setup, &begun).await.error(), "slow_down");
}

#[tokio::test]
async fn invalid_device_request_is_rejected() {
    let browser_only = client("web").grants(["authorization_code"]);
    let strict = setup(server(0).client(browser_only).client(client("other"))).await;
    for (name, value, error) in [
        ("client_id", None, "invalid_request"),
        ("client_id", Some("unknown"), "invalid_client"),
        ("client_id", Some("web"), "unauthorized_client"),
        ("resource", None, "invalid_target"),
        ("scope", Some("admin"), "invalid_scope"),
    ] {
        let answer = begin(&strict, &request(&strict).with(name, value)).await;
        assert_eq!(answer.error(), error, "{name}: {value:?}");
    }
    let begun = begin(&strict, &request(&strict)).await;
    let poll = request(&strict).with("grant_type", GRANT);
    let poll = poll.with("device_code", begun.text("device_code"));
    for (name, value, error) in [
        ("client_id", Some("other"), "invalid_grant"),
        ("resource", None, "invalid_target"),
        ("device_code", Some("unknown-device"), "invalid_grant"),
    ] {
        let answer = strict.token(&poll.clone().with(name, value)).await;
        assert_eq!(answer.error(), error, "{name}: {value:?}");
    }
    let without = setup(oauth::server().scopes("read")).await;
    let answer = begin(&without, &request(&without)).await;
    assert_eq!(answer.status, 404);
    let answer = without.token(&poll).await;
    assert_eq!(answer.error(), "unsupported_grant_type");
}
