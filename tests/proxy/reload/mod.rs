//! Hot reload: changes of the configuration file take effect while the proxy runs.

mod calls;
mod changes;
mod files;
mod invalid_files;
mod subscriptions;

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use testkit::Endpoint;
use testkit::proxy::{self, Client};

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";

/// The log line after a change has taken effect.
const RELOADED: &str = "applied the changed configuration";

/// A configuration file in a folder of its own.
struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    /// Creates a file with these upstreams.
    fn with_upstreams(upstreams: &[Value]) -> Self {
        let file = Self {
            folder: TempDir::new().unwrap(),
        };
        file.write(upstreams);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("upstreams.json")
    }

    /// Writes these upstreams into the file.
    fn write(&self, upstreams: &[Value]) {
        self.write_text(&json!(upstreams).to_string());
    }

    fn write_text(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    /// Writes another file to the same folder.
    fn write_other(&self, name: &str, upstreams: &[Value]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, json!(upstreams).to_string()).unwrap();
        path
    }

    fn proxy(&self) -> proxy::Builder {
        proxy::new().env("PROXY_UPSTREAMS", format!("@{}", self.path().display()))
    }

    /// Starts a legacy client that has listed the tools.
    async fn legacy_client(&self) -> Client {
        let mut client = self.proxy().start().await;
        client.initialize().await;
        client.tools().await;
        client
    }

    /// Starts a modern client that has listed the tools and subscribed to all list changes.
    async fn modern_client(&self) -> Client {
        let mut client = self.proxy().start().await;
        client.tools().await;
        let all = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
        client.listen(all).await;
        client
    }

    /// Starts a client of this era.
    async fn client(&self, era: &str) -> Client {
        match era {
            "legacy" => self.legacy_client().await,
            _ => self.modern_client().await,
        }
    }
}

/// Returns an upstream of the configuration file.
fn upstream_entry(name: &str, server: &(impl Endpoint + ?Sized)) -> Value {
    upstream_with(name, server, json!({}))
}

/// Returns an upstream with further keys.
fn upstream_with(name: &str, server: &(impl Endpoint + ?Sized), extra: Value) -> Value {
    let mut upstream_entry = json!({"name": name, "url": server.url()});
    if let Some(transport) = server.transport() {
        upstream_entry["transport"] = json!(transport);
    }
    let Value::Object(extra) = extra else {
        panic!("no object");
    };
    upstream_entry.as_object_mut().unwrap().extend(extra);
    upstream_entry
}

/// Waits until stderr contains `part` `count` times.
async fn wait_for_log(client: &Client, part: &str, count: usize) {
    let what = format!("`{part}`, {count} times");
    let enough = |text: &str| (text.matches(part).count() >= count).then_some(());
    client.find_in_stderr(&what, enough).await;
}

/// Returns the number of received notifications of `method`.
fn notification_count(client: &Client, method: &str) -> usize {
    let lines = client.received().into_iter();
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(&format!("\"{method}\"")))
        .count()
}

/// Returns the result of a call as text.
fn result_text(answer: &Value) -> String {
    answer["result"].to_string()
}
