//! Errors in a changed file are reported as at the start, and affect only their upstream.

use serde_json::json;

use crate::reload::{
    ConfigFile, RELOADED, TOOLS, notification_count, upstream_entry, upstream_with, wait_for_log,
};
use testkit::{proxy, upstream};

#[tokio::test]
async fn invalid_file_is_reported_with_its_place_and_last_one_serves() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.legacy_client().await;
    let previous_stays = "the last one stays in use";
    for (nth, (text, place)) in [
        ("[\n  {\"name\": \"b\",", "upstreams.json:2:"),
        ("", "upstreams.json:1:1: there is no JSON here"),
        (
            "7",
            "upstreams.json:1:1: a number where upstreams were expected",
        ),
        (
            "[{\"name\": \"a\", \"url\": \"ftp://x/\"}]",
            "upstream `a`: url",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        file.write_text(text);
        wait_for_log(&client, previous_stays, nth + 1).await;
        assert!(
            client.stderr().contains(place),
            "{place}: {}",
            client.stderr()
        );
        let answer = client.call("search", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    file.write(&[upstream_entry("b", &b)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert_eq!(notification_count(&client, TOOLS), 1);
}

#[tokio::test]
async fn upstream_with_an_invalid_entry_keeps_its_configuration() {
    let [a, b, c] = [upstream::legacy(), upstream::legacy(), upstream::legacy()];
    let a = a.tool("search").start().await;
    let b = b.tool("search").start().await;
    let c = c.tool("search").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
    let mut client = file.legacy_client().await;
    let bad = upstream_with("a", &a, json!({"include_tools": ["[x"]}));
    file.write(&[bad, upstream_entry("c", &c), upstream_entry("b", &b)]);
    client.notification(TOOLS).await;
    wait_for_log(&client, RELOADED, 1).await;
    let stderr = client.stderr();
    assert!(stderr.contains("upstream `a`: include_tools"), "{stderr}");
    assert!(
        stderr.contains("keeping the previous configuration upstream=a"),
        "{stderr}"
    );
    let names = ["search", "c__search", "b__search"];
    assert_eq!(client.tool_names().await, names);
    client.call("search", json!({})).await;
    assert_eq!(a.calls().len(), 1);
    // An upstream that was removed from the file is removed nevertheless.
    let bad = upstream_with("a", &a, json!({"transport": "pigeon"}));
    file.write(&[bad, upstream_entry("c", &c)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "c__search"]);
}

#[tokio::test]
async fn unreachable_new_upstream_does_not_affect_the_others() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.legacy_client().await;
    let mut unreachable = upstream::legacy().tool("late").start().await;
    let new_entry = upstream_entry("n", &unreachable);
    unreachable.raw.stop().await;
    file.write(&[new_entry, upstream_entry("b", &b)]);
    client.notification(TOOLS).await;
    wait_for_log(&client, RELOADED, 1).await;
    assert_eq!(client.tool_names().await, ["find"]);
    unreachable.restart();
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["late", "find"]);
}

#[tokio::test]
async fn new_unavailable_but_cached_upstream_is_notified_once() {
    let a = upstream::legacy().tool("search").start().await;
    let mut unavailable = upstream::legacy().tool("known").start().await;
    let home = proxy::home();
    let mut earlier = proxy::new()
        .home(&home)
        .upstream("n", &unavailable)
        .start()
        .await;
    earlier.initialize().await;
    earlier.tools().await;
    assert!(earlier.close().await.success());
    let new_entry = upstream_entry("n", &unavailable);
    unavailable.raw.stop().await;

    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.proxy().home(&home).start().await;
    client.initialize().await;
    client.tools().await;
    file.write(&[upstream_entry("a", &a), new_entry]);
    client.notification(TOOLS).await;
    let call = client.send_call("known", json!({})).await;
    assert_eq!(client.tool_names().await, ["search", "known"]);
    unavailable.restart();
    let answer = client.response(call).await;
    assert!(answer.get("result").is_some(), "{answer}");
    wait_for_log(&client, RELOADED, 1).await;
    assert_eq!(notification_count(&client, TOOLS), 1);
}
