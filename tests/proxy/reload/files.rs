//! How a configuration file changes: replaced, through links, deleted, or without a difference.

use serde_json::json;

use crate::reload::{
    ConfigFile, RELOADED, TOOLS, notification_count, upstream_entry, wait_for_log,
};
use testkit::upstream;

#[tokio::test]
async fn replaced_file_is_reloaded() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.legacy_client().await;
    for (upstreams, names) in [
        ([upstream_entry("b", &b)], ["find"]),
        ([upstream_entry("a", &a)], ["search"]),
    ] {
        let other = file.write_other(".upstreams.json.swp", &upstreams);
        std::fs::rename(other, file.path()).unwrap();
        client.notification(TOOLS).await;
        assert_eq!(client.tool_names().await, names);
    }
    assert!(!client.stderr().contains("gone"), "{}", client.stderr());
}

#[cfg(unix)]
#[tokio::test]
async fn changed_link_is_reloaded() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[]);
    // As in a Kubernetes ConfigMap: a link to a link that is replaced.
    let folder = file.folder.path();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
    };
    file.write_other("1.json", &[upstream_entry("a", &a)]);
    file.write_other("2.json", &[upstream_entry("b", &b)]);
    link("1.json", "data");
    link("data", "upstreams.json");
    let mut client = file.legacy_client().await;
    assert_eq!(client.tool_names().await, ["search"]);
    link("2.json", "data");
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
}

#[tokio::test]
async fn missing_file_is_reported_once_and_changes_nothing() {
    let a = upstream::legacy().tool("search").start().await;
    let b = upstream::legacy().tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.legacy_client().await;
    std::fs::remove_file(file.path()).unwrap();
    wait_for_log(&client, "the configuration file is missing", 1).await;
    assert_eq!(client.tool_names().await, ["search"]);
    file.write(&[upstream_entry("b", &b)]);
    client.notification(TOOLS).await;
    assert_eq!(client.tool_names().await, ["find"]);
    assert_eq!(client.stderr().matches("is missing").count(), 1);
}

#[tokio::test]
async fn equal_configuration_has_no_effect() {
    let a = upstream::legacy().tool("search").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.legacy_client().await;
    file.write_text(&format!("// The same.\n[{},\n]", upstream_entry("a", &a)));
    wait_for_log(&client, "was written without changes", 1).await;
    assert_eq!(client.tool_names().await, ["search"]);
    client.call("search", json!({})).await;
    assert_eq!(notification_count(&client, TOOLS), 0);
    assert_eq!(a.requests_of("initialize").len(), 1);
    assert!(!client.stderr().contains(RELOADED));
}
