//! What is wrong with a changed file is told as at the start, and costs what it is about alone.

use serde_json::json;

use crate::reload::{DONE, File, TOOLS, entry, entry_with, said, told};
use testkit::{proxy, upstream};

#[tokio::test]
async fn invalid_file_is_reported_with_its_place_and_last_one_serves() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.legacy().await;
    let last_one_goes_on = "the last one goes on";
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
        said(&client, last_one_goes_on, nth + 1).await;
        assert!(
            client.stderr().contains(place),
            "{place}: {}",
            client.stderr()
        );
        let answer = client.call("search", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    file.write(&[entry("b", &b)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert_eq!(told(&client, TOOLS), 1);
}

#[tokio::test]
async fn upstream_with_an_invalid_entry_goes_on_as_it_was() {
    let [a, b, c] = [upstream::legacy(), upstream::legacy(), upstream::legacy()];
    let a = a.tool("search").start().await;
    let b = b.tool("search").start().await;
    let c = c.tool("search").start().await;
    let file = File::of(&[entry("a", &a), entry("b", &b)]);
    let mut client = file.legacy().await;
    let bad = entry_with("a", &a, json!({"include_tools": ["[x"]}));
    file.write(&[bad, entry("c", &c), entry("b", &b)]);
    client.notification(TOOLS).await;
    said(&client, DONE, 1).await;
    let stderr = client.stderr();
    assert!(stderr.contains("upstream `a`: include_tools"), "{stderr}");
    assert!(
        stderr.contains("goes on as it was configured before upstream=a"),
        "{stderr}"
    );
    let names = ["search", "c__search", "b__search"];
    assert_eq!(client.tool_names().await, names);
    client.call("search", json!({})).await;
    assert_eq!(a.calls().len(), 1);
    // One that is not written any more is gone all the same.
    let bad = entry_with("a", &a, json!({"transport": "pigeon"}));
    file.write(&[bad, entry("c", &c)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["search", "c__search"]);
}

#[tokio::test]
async fn a_new_upstream_that_cannot_be_reached_costs_itself_alone() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.legacy().await;
    let mut nobody = upstream::legacy().tool("late").start().await;
    let written = entry("n", &nobody);
    nobody.raw.stop().await;
    file.write(&[written, entry("b", &b)]);
    client.notification(TOOLS).await;
    said(&client, DONE, 1).await;
    assert_eq!(client.tool_names().await, ["find"]);
    nobody.restart();
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["late", "find"]);
}

#[tokio::test]
async fn new_absent_but_cached_upstream_is_announced_once_with_others() {
    let a = upstream::legacy().tool("search").start().await;
    let mut away = upstream::legacy().tool("known").start().await;
    let home = proxy::home();
    let mut earlier = proxy::new().home(&home).upstream("n", &away).start().await;
    earlier.initialize().await;
    earlier.tools().await;
    assert!(earlier.close().await.success());
    let written = entry("n", &away);
    away.raw.stop().await;

    let file = File::of(&[entry("a", &a)]);
    let mut client = file.proxy().home(&home).start().await;
    client.initialize().await;
    client.tools().await;
    file.write(&[entry("a", &a), written]);
    client.notification(TOOLS).await;
    let call = client.send_call("known", json!({})).await;
    assert_eq!(client.tool_names().await, ["search", "known"]);
    away.restart();
    let answer = client.response(call).await;
    assert!(answer.get("result").is_some(), "{answer}");
    said(&client, DONE, 1).await;
    assert_eq!(told(&client, TOOLS), 1);
}
