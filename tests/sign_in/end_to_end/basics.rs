//! The usual sequence: one sign-in, then starts and renewals without the user.

use crate::end_to_end::setup::{search, search_for, setup_with, tokens};
use testkit::oauth::{self, Browser, Part};
use testkit::upstream::Kind;

testkit::per_kind! {
    first_start_opens_one_page_and_has_the_tools_after_sign_in
    second_start_contacts_the_upstream_only
    token_expired_before_start_is_renewed_without_a_sign_in
    token_expiring_between_two_calls_is_renewed_silently
}

async fn first_start_opens_one_page_and_has_the_tools_after_sign_in(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut client = setup.start().await;
    assert_eq!(client.tool_names().await, [""; 0]);
    let page = setup.desktop.page().await;
    assert_eq!(setup.upstream.calls().len(), 0);
    let page = Browser::consenting().open(&page).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("You are signed in to a"));
    client
        .notification("notifications/tools/list_changed")
        .await;
    assert_eq!(client.tool_names().await, ["search"]);
    search(&mut client).await;
    assert_eq!(setup.pages().await, 1);
    assert_eq!(setup.login_requests(), [1, 1, 1]);
    assert_eq!(setup.server.count(Part::Token), 1);
    setup.assert_clean();
}

async fn second_start_contacts_the_upstream_only(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    setup.sign_in().await;
    let requests_before = setup.server.requests().len();
    let (seen, refused) = (
        setup.upstream.raw.requests().len(),
        setup.upstream.refused(),
    );
    let mut client = setup.ready().await;
    search(&mut client).await;
    assert_eq!(setup.server.requests().len(), requests_before);
    assert_eq!(setup.upstream.refused(), refused);
    let requests = &setup.upstream.raw.requests()[seen..];
    let about = |path: &str| path.contains(".well-known");
    assert!(!requests.iter().any(|r| about(&r.path)));
    assert_eq!(tokens(requests), [setup.files().token("access_token")]);
    assert_eq!(setup.pages().await, 1);
}

async fn token_expired_before_start_is_renewed_without_a_sign_in(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    setup.sign_in().await;
    setup.files().age_beyond_the_end();
    setup.server.expire_access_tokens();
    let (login, refused) = (setup.login_requests(), setup.upstream.refused());
    let mut client = setup.ready().await;
    search(&mut client).await;
    assert_eq!(setup.refreshes(), 1);
    assert_eq!(setup.login_requests(), login);
    assert_eq!(setup.upstream.refused(), refused, "the old token was sent");
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

async fn token_expiring_between_two_calls_is_renewed_silently(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut client = setup.signed_in().await;
    search_for(&mut client, "before").await;
    setup.server.expire_access_tokens();
    let (lines, stderr) = (client.received().len(), client.stderr());
    search_for(&mut client, "after").await;
    assert_eq!(client.received().len(), lines + 1);
    assert_eq!(client.stderr(), stderr);
    let ran: Vec<_> = setup.upstream.calls();
    let ran = ran
        .iter()
        .filter(|body| String::from_utf8_lossy(body).contains("after"));
    assert_eq!(ran.count(), 1);
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}
