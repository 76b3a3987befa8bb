//! What a person deletes stays deleted while proxies run that know it.

use serde_json::json;

use crate::cache::{LISTS, files, full, learn};
use testkit::Endpoint;
use testkit::proxy::{self, Builder, Client};
use testkit::upstream::{self, Upstream, tool};
use testkit::within;

/// A proxy that has read or written what is remembered, and runs on.
async fn running(proxy: Builder) -> Client {
    let mut client = proxy.env("DEBUG", "1").start().await;
    client.initialize().await;
    client.tools().await;
    client.wait_for_stderr("connected era=").await;
    client
}

/// Has the proxy read anew all that the server offers.
async fn read_again(client: &mut Client, server: &mut Upstream) {
    let connected = |stderr: &str| stderr.matches("connected era=").count();
    let before = connected(&client.stderr());
    server.raw.stop().await;
    client.wait_for_stderr("connection lost").await;
    server.restart();
    // It is tried at once for a call.
    client.call("tool", json!({})).await;
    let look = |stderr: &str| (connected(stderr) > before).then_some(());
    client.find_in_stderr("new connection", look).await;
    for (method, _) in LISTS {
        client.ask(method, json!({})).await;
    }
}

async fn log_out(proxy: Builder) {
    let ended = proxy.arg("logout").arg("a").output().await;
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("what else was stored is deleted"), "{said}");
}

#[tokio::test]
async fn a_proxy_that_has_read_it_does_not_bring_it_back_without_news() {
    for is_new in [false, true] {
        let mut server = full(upstream::legacy()).start().await;
        let (url, home) = (server.url(), proxy::home());
        let proxy = || proxy::new().home(&home).upstream("a", &url);
        learn(proxy()).await;
        let mut client = running(proxy()).await;
        log_out(proxy()).await;
        assert!(files(&home).is_empty());
        if is_new {
            server.set_tools([&*tool("tool"), &*tool("new")]);
        }
        read_again(&mut client, &mut server).await;
        assert!(client.close().await.success());
        let left = files(&home).len();
        assert_eq!(left, usize::from(is_new), "{}", client.stderr());

        learn(proxy()).await;
        assert_eq!(files(&home).len(), 1, "the next one may");
    }
}

#[tokio::test]
async fn cache_is_not_rewritten_without_changes() {
    let mut server = upstream::legacy().tool("tool").start().await;
    let (url, home) = (server.url(), proxy::home());
    let proxy = || proxy::new().home(&home).upstream("a", &url);
    let mut client = running(proxy()).await;
    let written = within("the file", async {
        while files(&home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    log_out(proxy()).await;
    read_again(&mut client, &mut server).await;
    assert!(client.close().await.success());
    assert!(files(&home).is_empty(), "{}", client.stderr());
}
