//! The device authorization grant (RFC 8628). The polling interval is in whole seconds, so these
//! tests take seconds.

use std::time::Duration;

use mcp_manifold::oauth::{ClientInformation, DeviceAuthorization, TokenError};

use crate::grants::{Setup, public, setup};
use testkit::oauth::{Browser, Part};
use testkit::raw::Reply;

const QUICK: Duration = Duration::from_secs(1);

/// Requests a device code without scopes.
async fn device_code(setup: &Setup, client: &ClientInformation) -> DeviceAuthorization {
    let authority = setup.authority(client);
    let authorization = authority.device_authorization(None, setup.resource()).await;
    authorization.unwrap()
}

#[tokio::test]
async fn device_login_survives_a_failing_token_endpoint() {
    let (client, server) = public();
    let setup = setup(server.device_grant(QUICK).scopes("read")).await;
    let authority = setup.authority(&client);
    let authorization = authority
        .device_authorization(Some("read"), setup.resource())
        .await;
    let authorization = authorization.unwrap();
    assert_eq!(authorization.expires_in, Duration::from_secs(60));
    let page = authorization.verification_uri_complete.as_ref().unwrap();
    assert!(page.as_url().as_str().ends_with(&authorization.user_code));
    setup.assert_shows_nothing(&format!("{authorization:?}"));

    let poll = async { authority.device_token(&authorization).await };
    let user = async {
        setup.server.wait_for(Part::Token, 1).await;
        setup.server.fail(Part::Token, 503);
        setup.server.wait_for(Part::Token, 2).await;
        setup.server.recover(Part::Token);
        Browser::consenting().open(page.as_url().as_str()).await
    };
    let (grant, _) = tokio::join!(poll, user);
    let grant = grant.unwrap();
    assert!(setup.server.accepts(grant.access_token.expose()));
    assert_eq!(grant.scope.as_deref(), Some("read"));
}

#[tokio::test]
async fn denied_device_login_is_an_error() {
    let (client, server) = public();
    let setup = setup(server.device_grant(QUICK)).await;
    let authorization = device_code(&setup, &client).await;
    let page = authorization.verification_uri_complete.as_ref().unwrap();
    Browser::denying().open(page.as_url().as_str()).await;
    let ended = setup.authority(&client).device_token(&authorization).await;
    assert_eq!(ended.unwrap_err(), TokenError::Denied);
}

#[tokio::test]
async fn expired_device_code_is_an_error() {
    let (client, server) = public();
    let setup = setup(server.device_grant(QUICK)).await;
    let authorization = device_code(&setup, &client).await;
    setup.server.expire_device_codes();
    let ended = setup.authority(&client).device_token(&authorization).await;
    assert_eq!(ended.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn device_login_ends_with_the_lifetime_of_its_code() {
    let (client, server) = public();
    let server = server.device_grant(QUICK);
    let setup = setup(server.code_lifetime(Duration::from_secs(2))).await;
    let authorization = device_code(&setup, &client).await;
    let hold = setup.server.hold(Part::Token);
    let ended = setup.authority(&client).device_token(&authorization).await;
    assert_eq!(ended.unwrap_err(), TokenError::Expired);
    drop(hold);
}

#[tokio::test]
async fn unsafe_device_verification_page_is_rejected() {
    for (uri, code) in [
        ("http://example.com/device", "ABCD"),
        ("javascript:alert(1)", "ABCD"),
        ("https://example.com/$(touch x)", "ABCD"),
        ("https://example.com/device", "A\\u001b[31m"),
        ("https://example.com/device", ""),
    ] {
        let (client, server) = public();
        let server = server.device_grant(QUICK).intercept(move |request| {
            let body = format!(
                r#"{{"device_code":"secret","user_code":"{code}","verification_uri":"{uri}","expires_in":60}}"#
            );
            let here = request.path.ends_with("/device_authorization");
            here.then(|| Reply::json(body))
        });
        let setup = setup(server).await;
        let authorization = setup
            .authority(&client)
            .device_authorization(None, None)
            .await;
        let error = authorization.unwrap_err();
        assert!(
            matches!(error, TokenError::Malformed { .. }),
            "{uri}: {error}"
        );
    }
}

#[tokio::test]
async fn device_grant_without_an_endpoint_is_unsupported() {
    let (client, server) = public();
    let setup = setup(server).await;
    let authorization = setup
        .authority(&client)
        .device_authorization(None, None)
        .await;
    assert!(matches!(authorization, Err(TokenError::Unsupported { .. })));
}
