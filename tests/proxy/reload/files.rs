//! How files change: in place, by another file in their place, by links, and not at all.

use serde_json::json;

use crate::reload::{DONE, File, TOOLS, entry, said, told};
use testkit::upstream;

#[tokio::test]
async fn a_file_that_another_takes_the_place_of_is_taken_up() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.legacy().await;
    for (upstreams, names) in [([entry("b", &b)], ["find"]), ([entry("a", &a)], ["search"])] {
        let other = file.beside(".upstreams.json.swp", &upstreams);
        std::fs::rename(other, file.path()).unwrap();
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, names);
    }
    assert!(!client.stderr().contains("gone"), "{}", client.stderr());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_taken_up() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[]);
    // As Kubernetes mounts what it may change: a link to a link that is replaced.
    let folder = file.folder.path();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
    };
    file.beside("1.json", &[entry("a", &a)]);
    file.beside("2.json", &[entry("b", &b)]);
    link("1.json", "data");
    link("data", "upstreams.json");
    let mut client = file.legacy().await;
    assert_eq!(client.tool_names().await, ["search"]);
    link("2.json", "data");
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
}

#[tokio::test]
async fn missing_file_is_reported_once_and_changes_nothing() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.legacy().await;
    std::fs::remove_file(file.path()).unwrap();
    said(&client, "the configuration file is gone", 1).await;
    assert_eq!(client.tool_names().await, ["search"]);
    file.write(&[entry("b", &b)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert_eq!(client.stderr().matches("is gone").count(), 1);
}

#[tokio::test]
async fn a_file_that_says_what_it_said_is_no_news_to_anybody() {
    let a = upstream::legacy().tool("search").start().await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.legacy().await;
    file.write_text(&format!("// The same.\n[{},\n]", entry("a", &a)));
    said(&client, "says what it said", 1).await;
    assert_eq!(client.tool_names().await, ["search"]);
    client.call("search", json!({})).await;
    assert_eq!(told(&client, TOOLS), 0);
    assert_eq!(a.asks("initialize").len(), 1);
    assert!(!client.stderr().contains(DONE));
}
