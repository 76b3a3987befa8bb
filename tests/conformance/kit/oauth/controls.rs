//! Controls of a running server: hold requests, fail, lose responses.

use crate::kit::oauth::raw_client::{get, setup};
use testkit::oauth::{self, Part};
use testkit::raw::Reply;
use testkit::{http, upstream, within};

#[tokio::test]
async fn requests_are_held_until_the_gate_opens() {
    let setup = setup(oauth::server()).await;
    let login = setup.login("").await;
    let gate = setup.server.hold(Part::Token);
    let refresh = setup.refresh(login.text("refresh_token"));
    let answer = setup.token(&refresh);
    let came = async {
        setup.server.wait_for(Part::Token, 2).await;
        assert!(setup.server.accepts(login.text("access_token")));
        setup.server.revoke_all();
        gate.open();
    };
    // The request was not processed before the gate opened: the revocation was first.
    let (answer, ()) = within("both", futures_util::future::join(answer, came)).await;
    assert_eq!(answer.error(), "invalid_grant");
}

#[tokio::test]
async fn endpoint_fails_until_it_recovers() {
    let setup = setup(oauth::server()).await;
    let login = setup.login("").await;
    setup.server.fail(Part::Token, 503);
    let refresh = setup.refresh(login.text("refresh_token"));
    assert_eq!(setup.token(&refresh).await.status, 503);
    assert_eq!(setup.token(&refresh).await.status, 503);
    setup.server.recover(Part::Token);
    assert_eq!(setup.token(&refresh).await.status, 200);
    assert_eq!(setup.server.grants("refresh_token").len(), 3);
    assert_eq!(setup.server.reuses(), 0);
}

#[tokio::test]
async fn response_can_be_lost_after_the_refresh_token_was_spent() {
    let setup = setup(oauth::server()).await;
    let login = setup.login("").await;
    setup.server.lose_answer(Part::Token);
    let refresh = setup.refresh(login.text("refresh_token"));
    let request = http::client().post(setup.server.url_of("/token"));
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let request = request.header(kind.0, kind.1).body(refresh.encoded());
    let lost = within("the connection to end", request.send()).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(setup.token(&refresh).await.error(), "invalid_grant");
    assert_eq!(setup.server.reuses(), 1);
}

#[tokio::test]
async fn test_can_intercept_requests_to_the_server() {
    let server = oauth::server().intercept(|request| {
        let ours = request.path == "/authorize";
        ours.then(|| Reply::status(302).header("location", "file:///etc/passwd"))
    });
    let server = server.start().await;
    let place = "/.well-known/oauth-authorization-server";
    assert_eq!(get(&server.url_of(place)).await.status, 200);
    let (browser, url) = (oauth::Browser::consenting(), server.url_of("/authorize"));
    assert_eq!(browser.redirect(&url).await.unwrap().scheme(), "file");
    assert_eq!(get(&server.url_of("/nothing")).await.status, 404);
    assert_eq!(server.requests().len(), 3);
    let wrong_method = get(&server.url_of("/token")).await;
    assert_eq!(wrong_method.status, 405);
}

#[tokio::test]
async fn test_can_intercept_requests_to_a_protected_upstream() {
    let server = oauth::server().start().await;
    let upstream = upstream::modern().intercept(|request| {
        let metadata = request.path.starts_with("/.well-known/");
        metadata.then(|| Reply::status(502))
    });
    let upstream = oauth::protect(&server, upstream).start().await;
    assert_eq!(get(&upstream.metadata_url()).await.status, 502);
    assert_eq!(get(&upstream.raw.url_of("/mcp")).await.status, 401);
}
