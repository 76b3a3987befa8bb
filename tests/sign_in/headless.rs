//! Where no browser can be opened, or shall not be: somebody is told what to do.

use serde_json::json;

use crate::setup::{Setup, error_of, search, started, usual};
use crate::support::oauth::{Browser, Part};

/// What to type, whatever else is said.
const REMEDY: &str = "run `mcp-manifold login a`";

/// The page that a call is told to open, which is on stderr as well.
async fn told(setup: &Setup, variable: &str, value: &str, why: &str) -> String {
    let builder = setup.proxy().on(&setup.desktop).env(variable, value);
    let mut client = started(builder).await;
    client.wait_for_stderr(REMEDY).await;
    let answer = client.call("search", json!({})).await;
    let (text, data) = error_of(&answer);
    let url = data["signInUrl"].as_str().unwrap().to_owned();
    for said in [why, REMEDY, &url] {
        assert!(text.contains(said), "no {said} in {text}");
        assert!(client.stderr().contains(said), "no {said}");
    }
    assert_eq!(setup.pages().await, 0, "{variable}");
    // It is a page like any other.
    let page = Browser::consenting().open(&url).await;
    assert_eq!(page.status, 200, "{variable}");
    client.wait_for_tools(&["search"]).await;
    search(&mut client).await;
    url
}

#[tokio::test]
async fn without_a_display_in_ci_and_over_ssh_the_page_is_told_and_not_opened() {
    for (variable, value, why) in [
        ("CI", "true", "`CI` is set"),
        ("SSH_TTY", "/dev/pts/0", "this is an SSH session"),
        ("DISPLAY", "", "there is no display"),
    ] {
        let setup = usual().await;
        told(&setup, variable, value, why).await;
        assert_eq!(setup.pages().await, 0, "{variable}");
        setup.assert_clean();
    }
}

#[tokio::test]
async fn a_manual_login_is_begun_by_nobody_else() {
    let setup = usual().await;
    let manual = || {
        let builder = setup
            .proxy()
            .extra("a", json!({"oauth": {"login": "manual"}}));
        started(builder.on(&setup.desktop))
    };
    let mut client = manual().await;
    client.wait_for_stderr(REMEDY).await;
    let answer = client.call("search", json!({})).await;
    let (text, data) = error_of(&answer);
    let why = "`oauth.login` is `manual`";
    assert!(text.contains(why) && text.contains(REMEDY), "{text}");
    assert!(client.stderr().contains(why));
    assert!(data.get("signInUrl").is_none(), "{data}");
    assert_eq!(setup.login_requests(), [0, 0, 0]);
    assert_eq!(setup.pages().await, 0);
    // What somebody else signed in for is used.
    setup.sign_in().await;
    client.wait_for_tools(&["search"]).await;
    search(&mut client).await;
    assert_eq!(setup.server.count(Part::Authorization), 1);
}
