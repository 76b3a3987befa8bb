//! Expired access tokens: what renews them, and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::end_to_end::setup::{Setup, default_setup, error_of, search, setup_with, tokens};
use testkit::json::text_of;
use testkit::oauth::{self, Browser, Part};
use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::{self, Kind, tool};

testkit::per_kind! {
    concurrent_calls_with_an_expired_token_renew_it_once
    event_streams_send_the_token_and_outlive_it
    rejected_event_stream_renews_the_token
}

/// Sends `calls` concurrent calls of `search`, runs `meanwhile`, and expects a result for each
/// call.
async fn call_concurrently(client: &mut Client, calls: usize, meanwhile: impl AsyncFnOnce()) {
    let mut ids = Vec::new();
    for call in 0..calls {
        let params = json!({"name": "search", "arguments": {"q": call}});
        ids.push(client.send_request("tools/call", params).await);
    }
    meanwhile().await;
    for id in ids {
        text_of(&client.response(id).await);
    }
}

async fn concurrent_calls_with_an_expired_token_renew_it_once(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut client = setup.signed_in().await;
    setup.server.expire_access_tokens();
    let gate = setup.server.hold(Part::Token);
    let raw = &setup.upstream.raw;
    call_concurrently(&mut client, 20, async || {
        let called = |request: &Request| request.is("tools/call");
        raw.wait_for_count(20, called).await;
        gate.open();
    })
    .await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    assert_eq!(setup.upstream.calls().len(), 20);
    setup.assert_clean();
}

#[tokio::test]
async fn calls_rejected_after_a_renewal_use_the_renewed_token() {
    // Some calls are rejected only after another call has renewed the token.
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    for round in 1..=3 {
        setup.server.expire_access_tokens();
        call_concurrently(&mut client, 10, async || {}).await;
        setup.files().age();
        assert_eq!(setup.refreshes(), round);
    }
    setup.assert_clean();
}

#[tokio::test]
async fn token_without_refresh_token_opens_one_page_at_expiry() {
    let setup = setup_with(oauth::server().without_refresh_tokens(), upstream::modern()).await;
    let mut client = setup.signed_in().await;
    search(&mut client).await;
    assert_eq!(
        (setup.server.count(Part::Token), setup.pages().await),
        (1, 1)
    );
    setup.server.expire_access_tokens();
    let mut user = setup.desktop.used_by(Browser::consenting());
    search(&mut client).await;
    assert_eq!(user.pages(1).await[0].status, 200);
    assert_eq!((setup.refreshes(), setup.pages().await), (0, 2));
    // The client is still registered.
    assert_eq!(setup.server.count(Part::Registration), 1);
    setup.assert_clean();
}

#[tokio::test]
async fn token_without_expiry_is_used_until_it_is_rejected() {
    let setup = setup_with(oauth::server().announced_lifetime(None), upstream::modern()).await;
    let mut client = setup.signed_in().await;
    search(&mut client).await;
    assert_eq!(setup.refreshes(), 0);
    setup.server.expire_access_tokens();
    search(&mut client).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn token_with_a_lifetime_of_zero_still_works() {
    let setup = setup_with(
        oauth::server().announced_lifetime(Some(0)),
        upstream::modern(),
    )
    .await;
    let mut client = setup.signed_in().await;
    call_concurrently(&mut client, 10, async || {}).await;
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

#[tokio::test]
async fn failing_token_endpoint_fails_calls_and_keeps_the_login() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    let before = setup.files().read("tokens.json");
    setup.server.expire_access_tokens();
    setup.server.fail(Part::Token, 503);
    for _ in 0..2 {
        let answer = client.call("search", json!({})).await;
        let (text, data) = error_of(&answer);
        assert!(
            text.contains("503") && text.contains("try again later"),
            "{text}"
        );
        assert!(!text.contains("sign in"), "{text}");
        assert_eq!(data, json!({"upstream": "a", "outcome": "not run"}));
        assert_eq!(answer["error"]["code"], -31001, "no user action can help");
    }
    assert_eq!(setup.files().read("tokens.json"), before);
    setup.server.recover(Part::Token);
    search(&mut client).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (3, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn start_with_a_failing_token_endpoint_retries_the_renewal() {
    let setup = default_setup().await;
    setup.sign_in().await;
    setup.files().age_beyond_the_end();
    setup.server.expire_access_tokens();
    setup.server.fail(Part::Token, 503);
    let mut client = setup.start().await;
    client.wait_for_stderr("HTTP 503").await;
    setup.server.recover(Part::Token);
    client.wait_for_tools(&["search"]).await;
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

#[tokio::test]
async fn revoked_login_is_repeated_with_one_page() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    let (old, reused) = (setup.files().token("refresh_token"), setup.server.reuses());
    setup.server.revoke_all();
    let mut user = setup.desktop.used_by(Browser::consenting());
    call_concurrently(&mut client, 5, async || {}).await;
    user.pages(1).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 2));
    assert_eq!(setup.server.reuses(), reused);
    assert_ne!(setup.files().token("refresh_token"), old);
    search(&mut client).await;
    assert_eq!(setup.upstream.calls().len(), 6);
}

#[tokio::test]
async fn client_unknown_to_the_server_registers_again() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    setup.server.expire_access_tokens();
    setup.server.forget_clients();
    let mut user = setup.desktop.used_by(Browser::consenting());
    search(&mut client).await;
    user.pages(1).await;
    assert_eq!(setup.pages().await, 2);
    assert_eq!(setup.server.count(Part::Registration), 2);
}

async fn event_streams_send_the_token_and_outlive_it(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut client = setup.signed_in().await;
    let old = setup.files().token("access_token");
    setup
        .upstream
        .set_tools([tool("search").as_str(), tool("fetch").as_str()]);
    setup.upstream.list_changed().await;
    client.wait_for_tools(&["search", "fetch"]).await;
    setup.server.expire_access_tokens();
    search(&mut client).await;
    // The event stream was opened with the old token and stays open.
    setup.upstream.set_tools([tool("search").as_str()]);
    setup.upstream.list_changed().await;
    client.wait_for_tools(&["search"]).await;
    // A new event stream uses the new token.
    let before = setup.upstream.raw.requests().len();
    setup.upstream.end_streams();
    setup
        .upstream
        .set_tools([tool("search").as_str(), tool("find").as_str()]);
    setup.upstream.list_changed().await;
    client.wait_for_tools(&["search", "find"]).await;
    let requests = &setup.upstream.raw.requests()[before..];
    let new = setup.files().token("access_token");
    assert_ne!(new, old);
    assert_eq!(tokens(requests), [new]);
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}

async fn rejected_event_stream_renews_the_token(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut client = setup.signed_in().await;
    // The event stream is open before the token expires.
    setup.upstream.list_changed().await;
    setup.server.expire_access_tokens();
    setup
        .upstream
        .set_tools([tool("search").as_str(), tool("fetch").as_str()]);
    setup.upstream.end_streams();
    setup.server.wait_for(Part::Token, 2).await;
    client.wait_for_tools(&["search", "fetch"]).await;
    search(&mut client).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn repeatedly_rejected_token_ends_in_a_clear_error() {
    // An upstream that rejects every token.
    let refusals = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = refusals.clone();
    let upstream = upstream::modern().intercept(move |request| {
        let token = request.header("authorization")?;
        (!token.is_empty()).then(|| {
            counted.fetch_add(1, Ordering::Relaxed);
            testkit::raw::Reply::status(401)
                .header("www-authenticate", "Bearer error=\"invalid_token\"")
        })
    });
    let setup: Setup = setup_with(oauth::server(), upstream).await;
    let mut user = setup.desktop.used_by(Browser::consenting());
    let mut client = setup.start().await;
    user.pages(1).await;
    client
        .wait_for_stderr("refuses a token that was just issued for it")
        .await;
    client.wait_for_stderr("mcp-manifold login a").await;
    client.close().await;
    assert_eq!(setup.pages().await, 1);
    assert!(refusals.load(Ordering::Relaxed) < 20, "{refusals:?}");
    assert_eq!(setup.refreshes(), 0, "the token was new");
}
