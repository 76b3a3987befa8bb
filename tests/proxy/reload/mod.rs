//! The configuration file is watched: what changes in it takes effect while the proxy runs.

mod calls;
mod changes;
mod files;
mod problems;
mod subscriptions;

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use testkit::Endpoint;
use testkit::proxy::{self, Client};

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";

/// What the proxy says once a change has taken effect.
const DONE: &str = "took up the changed configuration";

/// A configuration file in a folder of its own.
struct File {
    folder: TempDir,
}

impl File {
    /// A file with these upstreams.
    fn of(upstreams: &[Value]) -> Self {
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

    /// Writes another file beside it, to be put in its place.
    fn beside(&self, name: &str, upstreams: &[Value]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, json!(upstreams).to_string()).unwrap();
        path
    }

    fn proxy(&self) -> proxy::Builder {
        proxy::new().env("PROXY_UPSTREAMS", format!("@{}", self.path().display()))
    }

    /// A legacy client that has listed the tools.
    async fn legacy(&self) -> Client {
        let mut client = self.proxy().start().await;
        client.initialize().await;
        client.tools().await;
        client
    }

    /// A modern client that listens to every change of a listing, and has listed the tools.
    async fn modern(&self) -> Client {
        let mut client = self.proxy().start().await;
        client.tools().await;
        let all = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
        client.listen(all).await;
        client
    }

    /// The same as this client of each era.
    async fn client(&self, era: &str) -> Client {
        match era {
            "legacy" => self.legacy().await,
            _ => self.modern().await,
        }
    }
}

/// An upstream, as it is written.
fn entry(name: &str, server: &(impl Endpoint + ?Sized)) -> Value {
    entry_with(name, server, json!({}))
}

/// The same with further keys.
fn entry_with(name: &str, server: &(impl Endpoint + ?Sized), extra: Value) -> Value {
    let mut entry = json!({"name": name, "url": server.url()});
    if let Some(transport) = server.transport() {
        entry["transport"] = json!(transport);
    }
    let Value::Object(extra) = extra else {
        panic!("no object");
    };
    entry.as_object_mut().unwrap().extend(extra);
    entry
}

/// Waits until `part` stands on stderr `count` times.
async fn said(client: &Client, part: &str, count: usize) {
    let what = format!("`{part}`, {count} times");
    let enough = |text: &str| (text.matches(part).count() >= count).then_some(());
    client.find_in_stderr(&what, enough).await;
}

/// How many notifications of `method` have come.
fn told(client: &Client, method: &str) -> usize {
    let lines = client.received().into_iter();
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(&format!("\"{method}\"")))
        .count()
}

/// What a tool of a scripted server has answered, as text.
fn text(answer: &Value) -> String {
    answer["result"].to_string()
}
