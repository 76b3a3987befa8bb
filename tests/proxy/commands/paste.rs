//! Text that a user pastes into `login --no-browser`: valid in several forms, or invalid at first.

use super::{Setup, setup};
use testkit::oauth::{Browser, Iss, Part, server};

/// Begins a login, pastes the invalid texts and then the valid one, and waits for the sign-in.
///
/// `valid` returns the text for the address of the redirect.
async fn paste(setup: &Setup, invalid: &[(&str, &str)], valid: impl Fn(&url::Url) -> String) {
    let (mut client, page) = setup.begin_login("login linear --no-browser").await;
    let redirect = Browser::consenting().redirect(&page).await.unwrap();
    for (text, complaint) in invalid {
        client.send_line(text.replace("{page}", &page)).await;
        client
            .wait_for_stderr(&format!("mcp-manifold: {complaint}"))
            .await;
    }
    client.send_line(valid(&redirect)).await;
    setup.wait_until_signed_in(&mut client).await;
    assert_eq!(setup.server.count(Part::Token), 1);
    assert_eq!(setup.server.refusals(), []);
}

fn code_of(redirect: &url::Url) -> String {
    let code = redirect.query_pairs().find(|(name, _)| name == "code");
    code.unwrap().1.into_owned()
}

const INVALID: [(&str, &str); 3] = [
    ("{page}", "that is the address of the sign-in page"),
    (
        "http://127.0.0.1/callback",
        "that is not the response to a sign-in",
    ),
    ("code=a&state=b", "the response belongs to another sign-in"),
];

#[tokio::test]
async fn pasted_address_signs_in_after_rejected_ones() {
    let setup = setup(server()).await;
    paste(&setup, &INVALID, |redirect| format!("  '{redirect}'  ")).await;
}

#[tokio::test]
async fn pasted_query_signs_in() {
    let setup = setup(server()).await;
    paste(&setup, &INVALID, |redirect| {
        redirect.query().unwrap().to_owned()
    })
    .await;
}

#[tokio::test]
async fn bare_code_signs_in_if_the_server_sends_no_issuer() {
    let setup = setup(server().iss(Iss::Off)).await;
    paste(&setup, &INVALID, code_of).await;
}

#[tokio::test]
async fn bare_code_is_rejected_if_the_server_sends_its_issuer() {
    let setup = setup(server()).await;
    let invalid = [("a-code", "the code alone does not name its issuer")];
    paste(&setup, &invalid, ToString::to_string).await;
}

#[tokio::test]
async fn code_rejected_by_the_server_ends_the_login() {
    let setup = setup(server().iss(Iss::Off)).await;
    let (mut client, _) = setup.begin_login("login linear --no-browser").await;
    client.send_line("made-up").await;
    assert_eq!(client.wait().await.code(), Some(1));
    let stderr = client.stderr();
    assert!(stderr.contains("no longer accepts the login"), "{stderr}");
    setup.sign_in().await;
}

#[tokio::test]
async fn browser_callback_signs_in_after_stdin_closes() {
    let setup = setup(server()).await;
    let (mut client, page) = setup.begin_login("login linear --no-browser").await;
    client.send_line("").await;
    client.close_stdin();
    assert_eq!(Browser::consenting().open(&page).await.status, 200);
    setup.wait_until_signed_in(&mut client).await;
}

#[tokio::test]
async fn pasted_address_completes_the_login_of_both_processes() {
    let setup = setup(server()).await;
    let (mut first, page) = setup.begin_login("login linear --no-browser").await;
    let (mut second, second_page) = setup.begin_login("login linear --no-browser").await;
    assert_eq!(page, second_page);
    let redirect = Browser::consenting().redirect(&page).await.unwrap();
    second.send_line(redirect.as_str()).await;
    setup.wait_until_signed_in(&mut first).await;
    setup.wait_until_signed_in(&mut second).await;
    assert_eq!(setup.server.count(Part::Token), 1);
}
