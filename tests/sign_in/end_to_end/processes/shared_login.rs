//! A login or renewal by one process reaches the others, and they do not overwrite it.

use serde_json::json;

use super::{WAITS, all_ready};
use crate::end_to_end::setup::{default_setup, search, started};
use testkit::desktop::Desktop;
use testkit::http;
use testkit::login_files::LoginFiles;
use testkit::oauth::{Browser, Part};
use testkit::proxy;

#[tokio::test]
async fn process_with_a_browser_opens_the_page_of_one_without() {
    let setup = default_setup().await;
    let headless = setup.proxy().env("CI", "true");
    let mut headless = started(headless).await;
    headless.wait_for_stderr(WAITS).await;
    let mut user = setup.desktop.used_by(Browser::consenting());
    let mut others = vec![setup.start().await, setup.start().await];
    assert_eq!(user.pages(1).await[0].status, 200);
    all_ready(&mut others).await;
    headless.wait_for_tools(&["search"]).await;
    search(&mut headless).await;
    assert_eq!(setup.pages().await, 1);
    assert_eq!(setup.login_requests(), [1, 1, 1]);
    setup.assert_clean();
}

#[tokio::test]
async fn login_by_another_process_reconnects_one_that_gave_up() {
    let setup = default_setup().await;
    let mut gave_up = setup.start().await;
    Browser::denying().open(&setup.desktop.page().await).await;
    gave_up.wait_for_stderr("the sign-in was denied").await;
    // The user signs in through the URL that another process printed.
    let mut other = started(setup.proxy().env("CI", "true")).await;
    other.wait_for_stderr(WAITS).await;
    let stderr = other.stderr();
    let url = stderr.split(' ').find(|word| word.starts_with("http://"));
    // A process that starts soon after the denial opens no page either.
    let late = setup.start().await;
    late.wait_for_stderr(WAITS).await;
    assert_eq!(setup.pages().await, 1);
    Browser::consenting().open(url.unwrap()).await;
    other.wait_for_tools(&["search"]).await;
    gave_up.wait_for_tools(&["search"]).await;
    search(&mut gave_up).await;
    assert_eq!(setup.pages().await, 1);
}

#[tokio::test]
async fn copied_login_files_connect_a_waiting_process() {
    let setup = default_setup().await;
    let (there, desktop) = (proxy::home(), Desktop::start());
    let mut client = started(setup.proxy().home(&there).on(&desktop)).await;
    Browser::consenting().open(&desktop.page().await).await;
    client.wait_for_tools(&["search"]).await;
    let mut waiting = setup.start().await;
    waiting.wait_for_stderr(WAITS).await;
    copy(&LoginFiles::new(there.path(), "a"), &setup.files());
    waiting.wait_for_tools(&["search"]).await;
    assert_eq!(setup.pages().await, 1);
}

#[tokio::test]
async fn rejected_refresh_token_keeps_tokens_replaced_meanwhile() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    // Another login, written later by a program that ignores the lock.
    let (there, desktop) = (proxy::home(), Desktop::start());
    let mut other = started(setup.proxy().home(&there).on(&desktop)).await;
    Browser::consenting().open(&desktop.page().await).await;
    other.wait_for_tools(&["search"]).await;
    other.close().await;
    let there = LoginFiles::new(there.path(), "a");
    // While the first process waits for its renewal, its refresh token is revoked and replaced on
    // disk.
    let old = setup.files();
    let form = format!(
        "token={}&token_type_hint=refresh_token&client_id={}",
        old.token("refresh_token"),
        old.token("client_id")
    );
    let revoke = http::client()
        .post(setup.server.url_of("/revoke"))
        .body(form);
    let revoke = revoke.header("content-type", "application/x-www-form-urlencoded");
    assert!(revoke.send().await.unwrap().status().is_success());
    let gate = setup.server.hold(Part::Token);
    let params = json!({"name": "search", "arguments": {"q": "x"}});
    let id = client.send_request("tools/call", params).await;
    setup.server.wait_for(Part::Token, 3).await;
    copy(&there, &setup.files());
    gate.open();
    let answer = client.response(id).await;
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!(setup.refreshes(), 1);
    assert_eq!(setup.files().read("tokens.json"), there.read("tokens.json"));
    assert_eq!(setup.pages().await, 1);
}

/// Copies a login from one home to another, the tokens last.
fn copy(from: &LoginFiles, to: &LoginFiles) {
    for file in ["client-info.json", "metadata.json", "tokens.json"] {
        let record = from.read(file);
        assert!(record.is_object(), "{file}");
        to.change(file, |there| *there = record);
    }
}
