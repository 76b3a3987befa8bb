//! A call that needs more scopes than were granted starts a step-up, a bounded number of times.

use serde_json::{Value, json};

use crate::end_to_end::setup::{Setup, error_of};
use testkit::json::text_of;
use testkit::oauth::{
    self, Browser, Params, Part, Protection, Registration, Scopes, protect, scopes,
};
use testkit::proxy::Client;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    step_up_requests_all_scopes_and_the_call_succeeds
}

/// `search` needs the scope `use`; `write` and `admin` need their own scope as well.
fn protected(server: &oauth::Server, upstream: upstream::Builder) -> Protection {
    let upstream = upstream.tool("search").tool("write").tool("admin");
    protect(server, upstream)
        .scopes("use")
        .tool_scopes("write", "write")
        .tool_scopes("admin", "admin")
}

async fn setup(server: oauth::Builder, upstream: upstream::Builder) -> Setup {
    let server = server.scopes("use write admin").start().await;
    let upstream = protected(&server, upstream).start().await;
    Setup::new(server, upstream)
}

/// Signs in for the initial scopes, makes the login an hour old, and restarts.
async fn signed_in(setup: &Setup) -> Client {
    let mut client = setup.start().await;
    Browser::consenting()
        .open(&setup.desktop.page().await)
        .await;
    client.wait_for_tools(&["search", "write", "admin"]).await;
    client.close().await;
    setup.files().age();
    restarted(setup).await
}

async fn restarted(setup: &Setup) -> Client {
    let mut client = setup.start().await;
    client.wait_for_tools(&["search", "write", "admin"]).await;
    client
}

/// The scopes that each sign-in page requested.
fn requested_scopes(setup: &Setup) -> Vec<Scopes> {
    let pages = setup.server.requests_for(Part::Authorization);
    let requested = pages.iter().map(|page| Params::of_query(page).scopes());
    requested.map(Option::unwrap_or_default).collect()
}

async fn call(client: &mut Client, tool: &str) -> Value {
    client.call(tool, json!({})).await
}

async fn step_up_requests_all_scopes_and_the_call_succeeds(kind: Kind) {
    let setup = setup(oauth::server(), kind.server()).await;
    let mut client = signed_in(&setup).await;
    text_of(&call(&mut client, "search").await);
    assert_eq!(setup.pages().await, 1);
    let mut user = setup.desktop.used_by(Browser::consenting());
    assert_eq!(text_of(&call(&mut client, "write").await), "write {}");
    user.pages(1).await;
    assert_eq!(
        requested_scopes(&setup),
        [scopes("use"), scopes("use write")]
    );
    // The scope stays granted.
    text_of(&call(&mut client, "write").await);
    assert_eq!(setup.upstream.calls().len(), 3);
    assert_eq!(setup.pages().await, 2);
    setup.assert_clean();
}

#[tokio::test]
async fn scopes_granted_before_a_restart_are_requested_with_new_ones() {
    let setup = setup(oauth::server(), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    let _person = setup.desktop.used_by(Browser::consenting());
    text_of(&call(&mut client, "write").await);
    client.close().await;
    setup.files().age();
    let mut client = restarted(&setup).await;
    text_of(&call(&mut client, "admin").await);
    text_of(&call(&mut client, "write").await);
    let all = [
        scopes("use"),
        scopes("use write"),
        scopes("use write admin"),
    ];
    assert_eq!(requested_scopes(&setup), all);
    setup.assert_clean();
}

#[tokio::test]
async fn renewal_keeps_the_scopes_of_a_step_up() {
    let setup = setup(oauth::server().scope_on_refresh(), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    let _person = setup.desktop.used_by(Browser::consenting());
    setup.server.expire_access_tokens();
    text_of(&call(&mut client, "write").await);
    setup.files().age();
    setup.server.expire_access_tokens();
    text_of(&call(&mut client, "write").await);
    assert_eq!((setup.refreshes(), setup.pages().await), (2, 2));
    setup.assert_clean();
}

#[tokio::test]
async fn registration_with_too_few_scopes_is_repeated() {
    let limited = Registration::Limited(scopes("use write"));
    for registration in [Registration::Open, limited] {
        let server = oauth::server().registration(registration.clone());
        let setup = setup(server, upstream::modern()).await;
        let mut client = signed_in(&setup).await;
        let _person = setup.desktop.used_by(Browser::consenting());
        text_of(&call(&mut client, "write").await);
        let registrations = setup.server.count(Part::Registration);
        assert_eq!(registrations, 2, "{registration:?}");
        setup.assert_clean();
    }
}

#[tokio::test]
async fn client_is_registered_for_all_scopes_of_the_upstream() {
    let server = oauth::server().scopes("use write admin").start().await;
    let upstream = protected(&server, upstream::modern())
        .document_with(json!({"scopes_supported": ["use", "write", "admin"]}));
    let upstream = upstream.start().await;
    let setup = Setup::new(server, upstream);
    let mut client = signed_in(&setup).await;
    let _person = setup.desktop.used_by(Browser::consenting());
    text_of(&call(&mut client, "write").await);
    assert_eq!(setup.server.count(Part::Registration), 1);
    assert_eq!(
        requested_scopes(&setup),
        [scopes("use"), scopes("use write")]
    );
    setup.assert_clean();
}

#[tokio::test]
async fn registration_with_too_few_scopes_ends_in_a_clear_error() {
    let limited = Registration::Limited(scopes("use"));
    let setup = setup(oauth::server().registration(limited), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    let mut user = setup.desktop.used_by(Browser::consenting());
    let (text, _) = error_of(&call(&mut client, "write").await);
    assert!(text.contains("invalid_scope"), "{text}");
    user.pages(1).await;
    // Granted scopes still work.
    text_of(&call(&mut client, "search").await);
    error_of(&call(&mut client, "write").await);
    assert_eq!(setup.pages().await, 2);
}

#[tokio::test]
async fn denied_step_up_is_a_clear_error_and_keeps_earlier_scopes() {
    let setup = setup(oauth::server(), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    let mut user = setup.desktop.used_by(Browser::denying());
    let (text, data) = error_of(&call(&mut client, "write").await);
    assert!(text.contains("the sign-in was denied"), "{text}");
    assert_eq!(data["outcome"], "not run");
    user.pages(1).await;
    text_of(&call(&mut client, "search").await);
    for _ in 0..3 {
        error_of(&call(&mut client, "write").await);
    }
    assert_eq!(setup.pages().await, 2);
    assert_eq!(setup.upstream.calls().len(), 1);
}

#[tokio::test]
async fn partial_grant_opens_one_page() {
    let setup = setup(oauth::server(), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    let mut user = setup.desktop.used_by(Browser::consenting().granting("use"));
    let (text, _) = error_of(&call(&mut client, "write").await);
    assert!(
        text.contains("`use write`") || text.contains("`write`"),
        "{text}"
    );
    assert!(text.contains("not granted"), "{text}");
    user.pages(1).await;
    text_of(&call(&mut client, "search").await);
    error_of(&call(&mut client, "write").await);
    assert_eq!(setup.pages().await, 2);
}

#[tokio::test]
async fn step_up_right_after_a_login_opens_one_page() {
    let setup = setup(oauth::server(), upstream::modern()).await;
    let mut client = signed_in(&setup).await;
    setup.server.revoke_all();
    let params = json!({"name": "write", "arguments": {}});
    let id = client.send_request("tools/call", params).await;
    // The call continues after the sign-in and needs more scopes immediately.
    Browser::consenting()
        .open(&setup.desktop.page().await)
        .await;
    let more = setup.desktop.page().await;
    let expected = [scopes("use"), scopes("use"), scopes("use write")];
    Browser::denying().open(&more).await;
    let (text, _) = error_of(&client.response(id).await);
    assert!(text.contains("the sign-in was denied"), "{text}");
    assert_eq!(requested_scopes(&setup), expected);
    for _ in 0..2 {
        let (text, _) = error_of(&call(&mut client, "write").await);
        assert!(text.contains("mcp-manifold login a"), "{text}");
    }
    text_of(&call(&mut client, "search").await);
    assert_eq!(setup.pages().await, 3);
}
