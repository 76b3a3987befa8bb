//! Without a browser, the proxy prints the sign-in URL and the command to run.

use serde_json::json;

use crate::end_to_end::setup::{default_setup, error_of, search, started};
use testkit::oauth::{Browser, Part};
use testkit::proxy::Client;

/// The command that every message must contain.
const REMEDY: &str = "run `mcp-manifold login a`";

/// Checks the message for a login at the start and for a login during a call.
async fn check_page_is_printed(variable: &str, value: &str, why: &str) {
    let setup = default_setup().await;
    let start = || {
        let builder = setup.proxy().on(&setup.desktop);
        started(builder.env(variable, value))
    };
    let mut client = start().await;
    client.wait_for_stderr(REMEDY).await;
    let line = printed_on_stderr(&client, 1);
    let url = line.split(' ').find(|word| word.starts_with("http://"));
    for expected in [why, REMEDY] {
        assert!(line.contains(expected), "no {expected} in {line}");
    }
    // The printed URL opens an ordinary sign-in page.
    sign_in(&mut client, url.unwrap()).await;
    setup.server.revoke_all();
    setup.files().age();
    let answer = client.call("search", json!({})).await;
    let (text, data) = error_of(&answer);
    let url = data["signInUrl"].as_str().unwrap();
    for expected in [why, REMEDY, url] {
        assert!(text.contains(expected), "no {expected} in {text}");
        assert!(
            printed_on_stderr(&client, 2).contains(expected),
            "no {expected}"
        );
    }
    sign_in(&mut client, url).await;
    assert_eq!(setup.pages().await, 0, "{variable}");
    assert_eq!(
        client.stderr().matches(REMEDY).count(),
        2,
        "{}",
        client.stderr()
    );
}

/// The `number`th line of stderr that contains the command to run.
fn printed_on_stderr(client: &Client, number: usize) -> String {
    let stderr = client.stderr();
    let mut lines = stderr.lines().filter(|line| line.contains(REMEDY));
    lines.nth(number - 1).unwrap().to_owned()
}

async fn sign_in(client: &mut Client, url: &str) {
    let page = Browser::consenting().open(url).await;
    assert_eq!(page.status, 200, "{}", page.text);
    client.wait_for_tools(&["search"]).await;
    search(client).await;
}

#[tokio::test]
async fn page_is_printed_and_not_opened_in_ci() {
    check_page_is_printed("CI", "true", "`CI` is set").await;
}

#[tokio::test]
async fn page_is_printed_and_not_opened_over_ssh() {
    check_page_is_printed("SSH_TTY", "/dev/pts/0", "this is an SSH session").await;
}

#[tokio::test]
async fn page_is_printed_and_not_opened_without_a_display() {
    check_page_is_printed("DISPLAY", "", "there is no display").await;
}

#[tokio::test]
async fn page_is_printed_if_no_program_opens_it() {
    let setup = default_setup().await;
    let folder = setup.home.path().display().to_string();
    let builder = setup.proxy().env("DISPLAY", ":0").env("PATH", folder);
    let mut client = started(builder).await;
    client.wait_for_stderr(REMEDY).await;
    let line = printed_on_stderr(&client, 1);
    assert!(line.contains("no program could open it"), "{line}");
    // The record says that no browser shows the page.
    let login = setup.files().read("login.json");
    assert_eq!(login["pending"]["opened"], false, "{login}");
    let url = line.split(' ').find(|word| word.starts_with("http://"));
    sign_in(&mut client, url.unwrap()).await;
}

#[tokio::test]
async fn call_to_an_unlisted_tool_returns_the_sign_in_url() {
    let setup = default_setup().await;
    let mut client = started(setup.proxy()).await;
    client.wait_for_stderr(REMEDY).await;
    let answer = client.call("search", json!({})).await;
    let (text, _) = error_of(&answer);
    let url = setup.files().read("login.json")["pending"]["url"].clone();
    for expected in ["`search`", "`a` (", REMEDY, url.as_str().unwrap()] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    sign_in(&mut client, url.as_str().unwrap()).await;
}

#[tokio::test]
async fn manual_login_is_never_started_by_the_proxy() {
    let setup = default_setup().await;
    let manual = setup
        .proxy()
        .extra("a", json!({"oauth": {"login": "manual"}}));
    let mut client = started(manual.on(&setup.desktop)).await;
    client.wait_for_stderr(REMEDY).await;
    let why = "`oauth.login` is `manual`";
    assert!(printed_on_stderr(&client, 1).contains(why));
    assert_eq!(setup.login_requests(), [0, 0, 0]);
    // The proxy uses a login that the user made elsewhere.
    setup.sign_in().await;
    client.wait_for_tools(&["search"]).await;
    search(&mut client).await;
    setup.server.revoke_all();
    let answer = client.call("search", json!({})).await;
    let (text, data) = error_of(&answer);
    assert!(text.contains(why) && text.contains(REMEDY), "{text}");
    assert!(data.get("signInUrl").is_none(), "{data}");
    assert_eq!(setup.server.count(Part::Authorization), 1);
    assert_eq!(setup.pages().await, 1);
}
