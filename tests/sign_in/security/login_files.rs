//! Login files: one login per upstream name, portable between homes.

use std::process::Command;

use serde_json::{Value, json};

use crate::security::{call, setup, sign_in, started};
use testkit::desktop::Desktop;
use testkit::oauth::{self, Part};
use testkit::proxy;

#[tokio::test]
async fn two_upstreams_of_one_server_have_two_logins() {
    let setup = setup(oauth::server()).await;
    let proxy = setup.proxy(Value::Null).upstream("b", &setup.upstream);
    let mut client = started(proxy.extra("b", json!({"prefix": "always"}))).await;
    for name in ["a", "b"] {
        let page = client.sign_in_page(name, 0).await;
        oauth::Browser::consenting().open(&page).await;
    }
    client.wait_for_tools(&["search", "b__search"]).await;
    let others = setup.home.path().join(".mcp-manifold/oauth/b/tokens.json");
    let others: Value = serde_json::from_slice(&std::fs::read(others).unwrap()).unwrap();
    assert_ne!(
        setup.stored("tokens.json")["access_token"],
        others["access_token"]
    );
}

#[tokio::test]
async fn copied_login_files_work_in_another_home() {
    let setup = setup(oauth::server()).await;
    drop(setup.signed_in(Value::Null).await);
    let elsewhere = proxy::home();
    let target = elsewhere.path().join("logins/oauth");
    std::fs::create_dir_all(&target).unwrap();
    let mut copy = Command::new("cp");
    let copied = copy
        .arg("-rp")
        .arg(setup.path("").parent().unwrap().join("a"))
        .arg(&target);
    assert!(copied.status().unwrap().success());

    let home = elsewhere.path().join("logins");
    let proxy = setup.proxy(Value::Null).home(&elsewhere);
    let proxy = proxy.env("MCP_MANIFOLD_HOME", home.to_str().unwrap());
    let mut client = started(proxy).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    assert_eq!(setup.server.count(Part::Authorization), 1);
    assert!(!elsewhere.path().join(".mcp-manifold").exists());
}

#[tokio::test]
async fn manual_login_opens_no_page() {
    let setup = setup(oauth::server()).await;
    let desktop = Desktop::start();
    let proxy = setup.proxy(json!({"login": "manual"})).on(&desktop);
    let client = started(proxy).await;
    client.wait_for_stderr("`oauth.login` is `manual`").await;
    client.wait_for_stderr("mcp-manifold login a").await;
    assert!(desktop.pages().await.is_empty());
    assert_eq!(setup.server.count(Part::Registration), 0);
}

#[tokio::test]
async fn login_of_another_url_is_not_used_under_the_same_name() {
    let first = setup(oauth::server()).await;
    drop(first.signed_in(Value::Null).await);
    let other = setup(oauth::server()).await;
    let client = started(other.proxy(Value::Null).home(&first.home)).await;
    assert_eq!(sign_in(&client).await.status, 200);
    let refused = other.upstream.refused();
    assert!(
        refused.iter().all(|(_, token)| token.is_empty()),
        "{refused:?}"
    );
}
