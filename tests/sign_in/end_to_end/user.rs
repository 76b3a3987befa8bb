//! The user denies the sign-in, abandons it, or another party sends the callback.

use serde_json::json;

use crate::end_to_end::setup::{Setup, default_setup, error_of, search, started};
use testkit::oauth::{Browser, Part};

#[tokio::test]
async fn denied_sign_in_opens_no_second_page() {
    let setup = default_setup().await;
    let mut client = setup.start().await;
    let page = Browser::denying().open(&setup.desktop.page().await).await;
    let text = &page.text;
    assert!(text.contains("You did not allow access to a"), "{text}");
    client.wait_for_stderr("the sign-in was denied").await;
    client.close().await;
    // A process that starts later opens no page either.
    let mut client = setup.start().await;
    client.wait_for_stderr("mcp-manifold login a").await;
    client.close().await;
    assert_eq!(setup.pages().await, 1);
    assert_eq!(setup.server.count(Part::Token), 0);
}

#[tokio::test]
async fn call_fails_if_the_user_denies_the_sign_in() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    setup.server.revoke_all();
    let mut user = setup.desktop.used_by(Browser::denying());
    let answer = client.call("search", json!({})).await;
    let (text, data) = error_of(&answer);
    assert!(text.contains("the sign-in was denied"), "{text}");
    assert_eq!(data["outcome"], "not run");
    user.pages(1).await;
    let answer = client.call("search", json!({})).await;
    let (text, _) = error_of(&answer);
    assert!(
        text.contains("the last sign-in was not completed"),
        "{text}"
    );
    assert!(text.contains("mcp-manifold login a"), "{text}");
    assert_eq!(setup.pages().await, 2);
}

#[tokio::test]
async fn abandoned_sign_in_opens_no_page_until_login_retry() {
    let setup = default_setup().await;
    let with_login_retry = |setup: &Setup| {
        let builder = setup
            .proxy()
            .extra("a", json!({"oauth": {"login_retry": "1h"}}));
        builder.on(&setup.desktop)
    };
    let mut client = started(with_login_retry(&setup)).await;
    let old = setup.desktop.page().await;
    client.wait_for_stderr("needs you to sign in").await;
    client.close().await;
    setup.files().age_pending_login(11 * 60);
    let mut client = started(with_login_retry(&setup)).await;
    client
        .wait_for_stderr("the last sign-in was not completed")
        .await;
    client.wait_for_stderr("mcp-manifold login a").await;
    client.close().await;
    assert_eq!(setup.pages().await, 1);
    // After `login_retry` the proxy opens a new page.
    setup.files().age_pending_login(60 * 60);
    let mut client = started(with_login_retry(&setup)).await;
    let new = (
        setup.desktop.page().await,
        setup.desktop.pages().await.len(),
    );
    assert!(new.0 != old && new.1 == 2, "{new:?}");
    Browser::consenting().open(&new.0).await;
    client.wait_for_tools(&["search"]).await;
}

#[tokio::test]
async fn sign_in_page_outlives_the_process_that_opened_it() {
    let setup = default_setup().await;
    let mut client = setup.start().await;
    let page = setup.desktop.page().await;
    client.wait_for_stderr("needs you to sign in").await;
    client.close().await;
    let mut client = setup.start().await;
    client.wait_for_stderr("needs you to sign in").await;
    let page = Browser::consenting().open(&page).await;
    assert_eq!(page.status, 200);
    client.wait_for_tools(&["search"]).await;
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

#[tokio::test]
async fn callback_with_another_state_is_rejected_and_login_continues() {
    let setup = default_setup().await;
    let mut client = setup.start().await;
    let page = setup.desktop.page().await;
    let browser = Browser::consenting();
    let good = browser.redirect(&page).await.unwrap();
    for change in ["state=x", "code=x&state=", "error=access_denied&state=y"] {
        let mut forged = good.clone();
        forged.set_query(Some(change));
        let page = browser.deliver(&forged).await;
        assert!(matches!(page.status, 400 | 410), "{change}: {}", page.text);
    }
    assert_eq!(setup.server.count(Part::Token), 0);
    assert_eq!(browser.deliver(&good).await.status, 200);
    client.wait_for_tools(&["search"]).await;
    search(&mut client).await;
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

#[tokio::test]
async fn call_waits_for_the_user_to_sign_in() {
    let setup = default_setup().await;
    setup.sign_in().await;
    let mut client = setup.ready().await;
    setup.server.revoke_all();
    let params = json!({"name": "search", "arguments": {"q": 1}});
    let id = client.send_request("tools/call", params).await;
    let page = setup.desktop.page().await;
    Browser::consenting().open(&page).await;
    let answer = client.response(id).await;
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!(setup.pages().await, 2);
}
