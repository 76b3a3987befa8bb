//! Several processes of one user. Claude Code starts the proxy at least once per window.

mod killed;
mod shared_login;

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::end_to_end::setup::{Setup, default_setup, search, setup_with, started, tokens};
use testkit::json::text_of;
use testkit::oauth::{self, Browser, Part};
use testkit::proxy::Client;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    processes_that_start_together_open_one_page_for_all
}

/// The number of processes that run at once.
const PROCESSES: usize = 4;

/// The message of a process that waits for the user.
const WAITS: &str = "the server needs you to sign in";

/// Starts clients on the desktop and completes their handshakes.
async fn start_several(setup: &Setup) -> Vec<Client> {
    join_all((0..PROCESSES).map(|_| setup.start())).await
}

async fn all_ready(clients: &mut [Client]) {
    join_all(
        clients
            .iter_mut()
            .map(async |client| client.wait_for_tools(&["search"]).await),
    )
    .await;
}

async fn all_search(clients: &mut [Client]) {
    join_all(clients.iter_mut().map(search)).await;
}

async fn processes_that_start_together_open_one_page_for_all(kind: Kind) {
    let setup = setup_with(oauth::server(), kind.server()).await;
    let mut clients = start_several(&setup).await;
    for client in &clients {
        client.wait_for_stderr(WAITS).await;
    }
    let page = Browser::consenting()
        .open(&setup.desktop.page().await)
        .await;
    assert_eq!(page.status, 200);
    all_ready(&mut clients).await;
    all_search(&mut clients).await;
    assert_eq!(setup.pages().await, 1);
    assert_eq!(setup.login_requests(), [1, 1, 1]);
    assert_eq!(setup.server.count(Part::Token), 1);
    setup.assert_clean();
}

#[tokio::test]
async fn processes_renew_each_expired_token_once() {
    let setup = default_setup().await;
    setup.sign_in().await;
    let mut clients = start_several(&setup).await;
    all_ready(&mut clients).await;
    for round in 1..=10 {
        setup.server.expire_access_tokens();
        all_search(&mut clients).await;
        assert_eq!(setup.refreshes(), round);
        setup.files().age();
    }
    assert_eq!(setup.upstream.calls().len(), 10 * PROCESSES);
    assert_eq!(setup.pages().await, 1);
    // The upstream received every token.
    let known = tokens(&setup.upstream.raw.requests());
    assert_eq!(known.iter().filter(|token| !token.is_empty()).count(), 11);
    setup.assert_clean();
}

#[tokio::test]
async fn processes_starting_with_an_expired_token_renew_it_once() {
    let setup = default_setup().await;
    setup.sign_in().await;
    setup.files().age_beyond_the_end();
    setup.server.expire_access_tokens();
    let mut clients = start_several(&setup).await;
    all_ready(&mut clients).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 1));
    setup.assert_clean();
}

#[tokio::test]
async fn processes_with_short_lived_tokens_reuse_no_refresh_token() {
    let setup = setup_with(
        oauth::server().announced_lifetime(Some(0)),
        upstream::modern(),
    )
    .await;
    setup.sign_in().await;
    let mut clients = start_several(&setup).await;
    all_ready(&mut clients).await;
    let busy = clients.iter_mut().map(async |client| {
        let mut ids = Vec::new();
        for call in 0..5 {
            let params = json!({"name": "search", "arguments": {"q": call}});
            ids.push(client.send_request("tools/call", params).await);
        }
        for id in ids {
            text_of(&client.response(id).await);
        }
    });
    join_all(busy).await;
    assert_eq!(setup.pages().await, 1);
    let used = setup.server.grants("refresh_token");
    let different: HashSet<_> = used.iter().map(|form| form.get("refresh_token")).collect();
    assert_eq!(different.len(), used.len());
    setup.assert_clean();
}

#[tokio::test]
async fn processes_with_a_revoked_login_open_one_page_for_all() {
    let setup = default_setup().await;
    setup.sign_in().await;
    let mut clients = start_several(&setup).await;
    all_ready(&mut clients).await;
    setup.server.revoke_all();
    let mut user = setup.desktop.used_by(Browser::consenting());
    all_search(&mut clients).await;
    user.pages(1).await;
    assert_eq!((setup.refreshes(), setup.pages().await), (1, 2));
    assert_eq!(setup.server.reuses(), 0);
}

#[tokio::test]
async fn processes_that_need_more_scopes_open_one_page_for_all() {
    let server = oauth::server().scopes("use write").start().await;
    let upstream = oauth::protect(&server, upstream::modern().tool("search"));
    let upstream = upstream.scopes("use").tool_scopes("search", "write");
    let setup = Setup::new(server, upstream.start().await);
    setup.sign_in().await;
    let mut clients = start_several(&setup).await;
    all_ready(&mut clients).await;
    let mut user = setup.desktop.used_by(Browser::consenting());
    all_search(&mut clients).await;
    user.pages(1).await;
    assert_eq!(setup.pages().await, 2);
    setup.assert_clean();
}

#[tokio::test]
async fn processes_sharing_a_login_all_see_its_denial() {
    let setup = default_setup().await;
    let mut clients = start_several(&setup).await;
    for client in &clients {
        client.wait_for_stderr(WAITS).await;
    }
    Browser::denying().open(&setup.desktop.page().await).await;
    for client in &clients {
        client.wait_for_stderr("the sign-in failed").await;
    }
    for client in &mut clients {
        client.close().await;
    }
    let client = started(setup.proxy().on(&setup.desktop)).await;
    client.wait_for_stderr("mcp-manifold login a").await;
    assert_eq!(setup.pages().await, 1);
}
