//! The `login --device` command: a code that the user enters on another device.

use std::time::Duration;

use super::{find_line, setup};
use testkit::oauth::{Browser, Part, server};

#[tokio::test]
async fn device_login_shows_a_code_and_signs_in() {
    let setup = setup(server().device_grant(Duration::ZERO)).await;
    let mut client = setup.command("login linear --device").start().await;
    client.wait_for_stderr("compare it:\n\n").await;
    let url = find_line(&client, "http");
    let page = Browser::consenting().open(&url).await;
    assert_eq!(page.status, 200, "{}", page.text);
    setup.wait_until_signed_in(&mut client).await;
    let stderr = client.stderr();
    let code = url.split("user_code=").nth(1).unwrap();
    assert!(stderr.lines().any(|line| line == code), "{stderr}");
    assert_eq!(setup.server.count(Part::Authorization), 0);
    let pending = (Part::Token, "authorization_pending");
    let refusals = setup.server.refusals();
    assert!(refusals.iter().all(|it| *it == pending), "{refusals:?}");
}

#[tokio::test]
async fn server_without_device_flow_is_reported_with_the_alternative() {
    let setup = setup(server()).await;
    let output = setup.run("login linear --device").await;
    output.assert(1, "has no device flow; sign in with a browser instead");
}
