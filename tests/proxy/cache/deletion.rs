//! A cache that the user deletes stays deleted while proxies run.

use serde_json::json;

use crate::cache::{LIST_METHODS, cache_files, fill_cache, with_all_kinds};
use testkit::Endpoint;
use testkit::proxy::{self, Builder, Client};
use testkit::upstream::{self, Upstream, tool};
use testkit::within;

/// Starts a proxy and waits until it has connected and listed the tools.
async fn start_and_list(proxy: Builder) -> Client {
    let mut client = proxy.env("DEBUG", "1").start().await;
    client.initialize().await;
    client.tools().await;
    client.wait_for_stderr("connected era=").await;
    client
}

/// Makes the proxy reconnect and list all items again.
async fn reconnect_and_list(client: &mut Client, server: &mut Upstream) {
    let connected = |stderr: &str| stderr.matches("connected era=").count();
    let before = connected(&client.stderr());
    server.raw.stop().await;
    client.wait_for_stderr("connection lost").await;
    server.restart();
    // A call triggers an immediate reconnect.
    client.call("tool", json!({})).await;
    let look = |stderr: &str| (connected(stderr) > before).then_some(());
    client.find_in_stderr("new connection", look).await;
    for (method, _) in LIST_METHODS {
        client.request_in_era(method, json!({})).await;
    }
}

async fn log_out(proxy: Builder) {
    let ended = proxy.arg("logout").arg("a").output().await;
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(
        stderr.contains("its other stored data is deleted"),
        "{stderr}"
    );
}

#[tokio::test]
async fn deleted_cache_is_written_again_only_after_a_change() {
    for has_changed in [false, true] {
        let mut server = with_all_kinds(upstream::legacy()).start().await;
        let (url, home) = (server.url(), proxy::home());
        let proxy = || proxy::new().home(&home).upstream("a", &url);
        fill_cache(proxy()).await;
        let mut client = start_and_list(proxy()).await;
        log_out(proxy()).await;
        assert!(cache_files(&home).is_empty());
        if has_changed {
            server.set_tools([&*tool("tool"), &*tool("new")]);
        }
        reconnect_and_list(&mut client, &mut server).await;
        assert!(client.close().await.success());
        let left = cache_files(&home).len();
        assert_eq!(left, usize::from(has_changed), "{}", client.stderr());

        fill_cache(proxy()).await;
        assert_eq!(cache_files(&home).len(), 1, "the next process writes it");
    }
}

#[tokio::test]
async fn process_does_not_rewrite_its_deleted_cache_unchanged() {
    let mut server = upstream::legacy().tool("tool").start().await;
    let (url, home) = (server.url(), proxy::home());
    let proxy = || proxy::new().home(&home).upstream("a", &url);
    let mut client = start_and_list(proxy()).await;
    let written = within("the file", async {
        while cache_files(&home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    log_out(proxy()).await;
    reconnect_and_list(&mut client, &mut server).await;
    assert!(client.close().await.success());
    assert!(cache_files(&home).is_empty(), "{}", client.stderr());
}
