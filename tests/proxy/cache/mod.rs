//! The cache of listings on disk: a new proxy serves cached listings immediately, also while servers are
//! unavailable.

mod calls;
mod deletion;
mod eviction;
mod files;
mod fingerprint;
mod initialize;
mod processes;
mod prompts_resources;
mod startup;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;
use tempfile::TempDir;
use testkit::proxy::{Builder, Client};
use testkit::raw::{self, Reply};
use testkit::upstream::{self, Upstream};

/// The capabilities of a server with all kinds of items and change notifications.
const ALL_CAPABILITIES: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{}}"#;

/// The list methods besides `tools/list`, each with the member of its result.
const LIST_METHODS: [(&str, &str); 3] = [
    ("prompts/list", "prompts"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
];

/// Adds one item of each kind to a server.
fn with_all_kinds(builder: upstream::Builder) -> upstream::Builder {
    builder
        .capabilities(ALL_CAPABILITIES)
        .tool("tool")
        .offers("prompts", [r#"{"name":"prompt"}"#])
        .offers("resources", [r#"{"uri":"x://1","name":"one"}"#])
        .offers(
            "resourceTemplates",
            [r#"{"uriTemplate":"x://{n}","name":"n"}"#],
        )
}

/// Runs a proxy until it has connected to all its servers and listed all items, then closes it.
async fn fill_cache(proxy: Builder) {
    let names = proxy.names();
    let mut client = proxy.start().await;
    client.initialize().await;
    for name in names {
        let end = format!(" name={name}");
        let is_connected = |line: &str| line.contains("connected era=") && line.ends_with(&end);
        client
            .find_in_stderr("connection", |stderr| {
                stderr.lines().find(|line| is_connected(line)).map(drop)
            })
            .await;
    }
    client.tools().await;
    for (method, _) in LIST_METHODS {
        client.request_in_era(method, json!({})).await;
    }
    assert!(client.close().await.success(), "{}", client.stderr());
}

/// Replaces a server by one that receives requests and never responds.
async fn replace_with_hanging(server: &Upstream) -> raw::Server {
    server.raw.stop().await;
    raw::server_at(server.raw.address(), |_| async { Reply::hang() })
}

/// Returns the cache folder of a proxy with this home.
fn cache_folder(home: &Arc<TempDir>) -> PathBuf {
    home.path().join(".mcp-manifold/listings")
}

/// Returns the cache files of all upstreams, sorted.
fn cache_files(home: &Arc<TempDir>) -> Vec<PathBuf> {
    let Ok(folder) = cache_folder(home).read_dir() else {
        return Vec::new();
    };
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    files
}

/// Sets the modification time of a file.
fn set_modified(file: &Path, modified: SystemTime) {
    let opened = File::options().read(true).write(file.is_file()).open(file);
    opened.unwrap().set_modified(modified).unwrap();
}

/// Counts the `list_changed` notifications for `what` so far.
fn list_changes(client: &Client, what: &str) -> usize {
    let method = format!(r#""method":"notifications/{what}/list_changed""#);
    let lines = client.received().into_iter();
    let lines = lines.map(|line| String::from_utf8(line).unwrap());
    lines.filter(|line| line.contains(&method)).count()
}
