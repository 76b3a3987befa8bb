//! Several concurrent proxies with the same home.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::cache::{LIST_METHODS, cache_files, cache_folder, with_all_kinds};
use testkit::proxy;
use testkit::upstream::{self, tool};

#[tokio::test]
async fn concurrent_proxies_leave_only_complete_files() {
    let one = with_all_kinds(upstream::legacy()).start().await;
    let two = with_all_kinds(upstream::modern()).start().await;
    let home = proxy::home();
    for round in 0..3 {
        let names: Vec<_> = (0..200).map(|n| tool(&format!("r{round}_{n}"))).collect();
        for server in [&one, &two] {
            server.set_tools(names.iter().map(String::as_str));
        }
        let runs = (0..4).map(|_| async {
            let proxy = proxy::new().home(&home).upstream("one", &one);
            let mut client = proxy.upstream("two", &two).start().await;
            client.initialize().await;
            // Each proxy reads while others write.
            let first = client.tools().await;
            assert_eq!(first.len(), if round == 0 { 400 } else { first.len() });
            for (method, _) in LIST_METHODS {
                client.request_in_era(method, json!({})).await;
            }
            client.wait_for_stderr("tools=200 name=one").await;
            client.wait_for_stderr("tools=200 name=two").await;
            assert!(client.close().await.success());
            assert!(!client.stderr().contains("the cached listing"));
        });
        join_all(runs).await;

        let cache_files = cache_files(&home);
        assert_eq!(cache_files.len(), 2);
        for file in &cache_files {
            let entry: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(entry["tools"].as_array().unwrap().len(), 200);
            let last = format!("r{round}_199");
            assert_eq!(entry["tools"][199]["name"], last, "{round}");
        }
        let mut all: Vec<_> = cache_folder(&home).read_dir().unwrap().collect();
        all.retain(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            ![".lock", "key"].contains(&name.to_str().unwrap())
        });
        assert_eq!(all.len(), 2, "{all:?}");
    }
}

#[tokio::test]
async fn cache_survives_a_killed_proxy() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy().env("DEBUG", "1").start().await;
    client.initialize().await;
    client.tools().await;
    client.wait_for_stderr("listing cached").await;
    // The proxy logs this before it writes the file.
    let written = testkit::within("the file", async {
        while cache_files(&home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    client.kill().await;
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["tool"]);
}
