//! Several proxies with one home, all at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::cache::{LISTS, files, full, listings};
use testkit::proxy;
use testkit::upstream::{self, tool};

#[tokio::test]
async fn all_of_them_leave_whole_files_and_nothing_else() {
    let one = full(upstream::legacy()).start().await;
    let two = full(upstream::modern()).start().await;
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
            // Each reads while others write.
            let first = client.tools().await;
            assert_eq!(first.len(), if round == 0 { 400 } else { first.len() });
            for (method, _) in LISTS {
                client.ask(method, json!({})).await;
            }
            client.wait_for_stderr("tools=200 name=one").await;
            client.wait_for_stderr("tools=200 name=two").await;
            assert!(client.close().await.success());
            assert!(!client.stderr().contains("what was remembered"));
        });
        join_all(runs).await;

        let files = files(&home);
        assert_eq!(files.len(), 2);
        for file in &files {
            let record: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(record["tools"].as_array().unwrap().len(), 200);
            let last = format!("r{round}_199");
            assert_eq!(record["tools"][199]["name"], last, "{round}");
        }
        let mut all: Vec<_> = listings(&home).read_dir().unwrap().collect();
        all.retain(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            ![".lock", "key"].contains(&name.to_str().unwrap())
        });
        assert_eq!(all.len(), 2, "{all:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_was_killed_leaves_what_it_had_written() {
    let server = upstream::legacy().tool("tool").start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy().env("DEBUG", "1").start().await;
    client.initialize().await;
    client.tools().await;
    client.wait_for_stderr("remembered").await;
    // Written before it is said: the next line of the log comes after it.
    let written = testkit::within("the file", async {
        while files(&home).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    written.await;
    client.kill().await;
    server.raw.stop().await;
    assert_eq!(proxy().start().await.tool_names().await, ["tool"]);
}
