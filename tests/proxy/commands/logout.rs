//! The `logout` command: at the server, on this machine, and for running proxies.

use super::{CommandOutput, cache_files, setup};
use serde_json::json;
use testkit::oauth::{Part, server};
use testkit::within;

#[tokio::test]
async fn logout_revokes_and_deletes_the_tokens() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let output = setup.run("logout linear").await;
    output.assert(0, "signed out of `linear`; its tokens are revoked");
    assert_eq!(output.stdout, "");
    assert_eq!(setup.server.revoked(), 1);
    assert_eq!(setup.stored_files(), ["login.json", "upstream.json"]);
    setup
        .run("logout linear")
        .await
        .assert(0, "nothing is stored for `linear`");
    setup.sign_in().await;
}

#[tokio::test]
async fn logout_without_revocation_warns_and_deletes_the_tokens() {
    let setup = setup(server().without_revocation()).await;
    setup.sign_in().await;
    let output = setup.run("logout linear").await;
    output.assert(
        0,
        "the tokens stay valid until they expire: the authorization server `http",
    );
    output.assert(0, "has no token revocation");
    assert_eq!(setup.stored_files(), ["login.json", "upstream.json"]);
}

#[tokio::test]
async fn failed_revocation_does_not_prevent_the_logout() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    setup.server.fail(Part::Revocation, 503);
    let output = setup.run("logout linear").await;
    output.assert(0, "the tokens stay valid until they expire: ");
    assert_eq!(setup.stored_files(), ["login.json", "upstream.json"]);
}

#[tokio::test]
async fn logout_with_nothing_stored_creates_no_file() {
    let setup = setup(server()).await;
    let output = setup.run("logout linear").await;
    output.assert(0, "nothing is stored for `linear`\n");
    assert!(!setup.home.path().join(".mcp-manifold").exists());
    assert_eq!(setup.upstream.refused(), []);
}

#[tokio::test]
async fn logout_deletes_an_unfinished_login() {
    let setup = setup(server()).await;
    let (mut client, _) = setup.begin_login("login linear --no-browser").await;
    client.kill().await;
    let output = setup.run("logout linear").await;
    output.assert(
        0,
        "no login was stored for `linear`; its other stored data is deleted",
    );
    assert_eq!(setup.stored_files(), ["login.json", "upstream.json"]);
}

#[tokio::test]
async fn logout_works_with_sign_in_disabled() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let command = setup
        .command("logout linear")
        .extra("linear", json!({"oauth": false}));
    let output = CommandOutput::new(command.output().await);
    output.assert(0, "signed out of `linear`");
    assert_eq!(setup.server.revoked(), 1);
}

#[tokio::test]
async fn running_proxy_applies_a_logout() {
    let setup = setup(server()).await;
    setup.sign_in().await;
    let mut serving = setup.command("").start().await;
    serving.initialize().await;
    assert_eq!(serving.tool_names().await, ["search", "write"]);
    let cached_listings = || cache_files(&setup.home).len();
    let written = within("the cached listing", async {
        while cached_listings() == 0 {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    setup.run("logout linear").await.assert(0, "signed out");
    let called = serving.call("search", json!({})).await;
    let message = called["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("the server needs you to sign in"),
        "{message}"
    );
    assert!(serving.close().await.success());
    assert_eq!(cached_listings(), 0);
}
