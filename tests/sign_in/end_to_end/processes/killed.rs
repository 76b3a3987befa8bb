//! A process is killed during a login or a renewal; the other processes continue.

use futures_util::future::select_all;
use serde_json::json;

use super::{WAITS, all_ready, all_search};
use crate::end_to_end::setup::{Setup, default_setup, search};
use testkit::oauth::{Browser, Part};
use testkit::proxy::Client;
#[cfg(target_os = "linux")]
use testkit::within;

/// Starts a client with debug logs, which say which process waits for the browser.
async fn started(setup: &Setup) -> Client {
    let builder = setup.proxy().on(&setup.desktop);
    crate::end_to_end::setup::started(builder.env("DEBUG", "1")).await
}

/// Waits until one of `clients` takes over the login. Returns that client and the others.
async fn wait_for_takeover(clients: Vec<Client>) -> (Client, Vec<Client>) {
    let waits = clients
        .iter()
        .map(|client| Box::pin(client.wait_for_stderr("waiting for the browser")));
    let (_, index, waits) = select_all(waits).await;
    drop(waits);
    let mut clients = clients;
    (clients.remove(index), clients)
}

/// Returns the process that opened the page, two waiting processes, and the page.
async fn open_page_in_the_first(setup: &Setup) -> (Client, Vec<Client>, String) {
    let first = started(setup).await;
    let page = setup.desktop.page().await;
    first.wait_for_stderr(WAITS).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let other = started(setup).await;
        other.wait_for_stderr(WAITS).await;
        others.push(other);
    }
    (first, others, page)
}

#[tokio::test]
async fn callback_for_a_killed_process_is_taken_by_another() {
    let setup = default_setup().await;
    let (mut first, others, page) = open_page_in_the_first(&setup).await;
    first.kill().await;
    let (second, mut others) = wait_for_takeover(others).await;
    let page = Browser::consenting().open(&page).await;
    assert_eq!(page.status, 200, "{}", page.text);
    others.push(second);
    all_ready(&mut others).await;
    all_search(&mut others).await;
    assert_eq!(setup.pages().await, 1);
    assert_eq!(setup.login_requests(), [1, 1, 1]);
    setup.assert_clean();
}

#[tokio::test]
async fn process_started_later_takes_the_callback_of_killed_ones() {
    let setup = default_setup().await;
    let (mut first, others, page) = open_page_in_the_first(&setup).await;
    first.kill().await;
    let (mut second, others) = wait_for_takeover(others).await;
    second.kill().await;
    let (mut third, _) = wait_for_takeover(others).await;
    third.kill().await;
    let (mut last, _) = wait_for_takeover(vec![started(&setup).await]).await;
    let page = Browser::consenting().open(&page).await;
    assert_eq!(page.status, 200, "{}", page.text);
    last.wait_for_tools(&["search"]).await;
    assert_eq!(setup.pages().await, 1);
    setup.assert_clean();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn process_ending_with_an_open_page_leaves_no_process_behind() {
    let setup = default_setup().await;
    for signal in ["TERM", "HUP", "KILL"] {
        let mut client = started(&setup).await;
        client.wait_for_stderr(WAITS).await;
        assert!(!running_in(setup.home.path()).is_empty());
        client.signal(signal).await;
        let status = client.wait().await;
        assert_eq!(status.success(), signal != "KILL", "{signal}: {status}");
        // The program that opens the page is not a child of the proxy and exits by itself.
        let none = async {
            while !running_in(setup.home.path()).is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        within("the end of all processes of this home", none).await;
    }
    assert_eq!(setup.pages().await, 1);
}

/// The processes with this home directory, without zombies.
#[cfg(target_os = "linux")]
fn running_in(home: &std::path::Path) -> Vec<std::path::PathBuf> {
    let variable = format!("HOME={}\0", home.display());
    let processes = std::fs::read_dir("/proc").unwrap();
    let paths = processes.map(|process| process.unwrap().path());
    let has_home = |path: &std::path::PathBuf| {
        // The environment of an exited process or of another user's process is not readable.
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&variable)
    };
    paths.filter(has_home).collect()
}

#[tokio::test]
async fn process_killed_during_code_exchange_leaves_a_clear_error() {
    let setup = default_setup().await;
    let (mut first, others, page) = open_page_in_the_first(&setup).await;
    let gate = setup.server.hold(Part::Token);
    let browser = Browser::consenting();
    let redirect = browser.redirect(&page).await.unwrap();
    let delivery = reqwest::Client::builder().no_proxy().build().unwrap();
    let delivery = tokio::spawn(delivery.get(redirect).send());
    setup.server.wait_for(Part::Token, 1).await;
    first.kill().await;
    assert!(delivery.await.unwrap().is_err());
    gate.open();
    // The killed process spent the code. The others open no second page; they report the command.
    for client in &others {
        client
            .wait_for_stderr("the last sign-in was not completed")
            .await;
        client.wait_for_stderr("mcp-manifold login a").await;
    }
    assert_eq!(setup.pages().await, 1);
    assert_eq!(
        (setup.server.count(Part::Token), setup.server.reuses()),
        (1, 0)
    );
}

#[tokio::test]
async fn renewal_of_a_killed_process_is_repeated_by_the_next() {
    let setup = default_setup().await;
    setup.sign_in().await;
    let mut first = setup.ready().await;
    let mut second = setup.ready().await;
    setup.server.expire_access_tokens();
    let gate = setup.server.hold(Part::Token);
    let params = json!({"name": "search", "arguments": {}});
    first.send_request("tools/call", params).await;
    setup.server.wait_for(Part::Token, 2).await;
    let params = json!({"name": "search", "arguments": {"q": "x"}});
    let id = second.send_request("tools/call", params).await;
    first.kill().await;
    // The server sees the disconnect of the first process and did not execute its request.
    setup.server.wait_for(Part::Token, 3).await;
    gate.open();
    let answer = second.response(id).await;
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!((setup.refreshes(), setup.pages().await), (2, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn renewal_is_stored_after_its_call_was_cancelled() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    let old = setup.files().token("access_token");
    setup.server.expire_access_tokens();
    let gate = setup.server.hold(Part::Token);
    let params = json!({"name": "search", "arguments": {}});
    let id = client.send_request("tools/call", params).await;
    setup.server.wait_for(Part::Token, 2).await;
    let why = json!({"requestId": id, "reason": "no longer wanted"});
    client.notify("notifications/cancelled", why).await;
    // The client closes stdin too; the proxy exits after it stored the response.
    client.close_stdin();
    gate.open();
    assert!(client.wait().await.success());
    assert_ne!(setup.files().token("access_token"), old);
    let mut client = setup.ready().await;
    search(&mut client).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn renewal_with_a_lost_response_costs_one_page() {
    let setup = default_setup().await;
    let mut client = setup.signed_in().await;
    setup.server.expire_access_tokens();
    setup.server.lose_answer(Part::Token);
    let mut user = setup.desktop.used_by(Browser::consenting());
    // The refresh token was spent, but the proxy cannot know.
    let answer = client.call("search", json!({})).await;
    if answer["error"].is_object() {
        search(&mut client).await;
    }
    user.pages(1).await;
    assert_eq!(setup.pages().await, 2);
    search(&mut client).await;
}
