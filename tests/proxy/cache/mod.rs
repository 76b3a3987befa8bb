//! What servers offer outlives the proxy: the next one lists it at once, whatever became of them.

mod bound;
mod calls;
mod files;
mod forgotten;
mod greeting;
mod lists;
mod processes;
mod start;
mod unused;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;
use tempfile::TempDir;
use testkit::proxy::{Builder, Client};
use testkit::raw::{self, Reply};
use testkit::upstream::{self, Upstream};

/// The capabilities of a server that has everything and announces its changes.
const ALL: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{}}"#;

/// The methods that list what is no tool, each with the member of its result.
const LISTS: [(&str, &str); 3] = [
    ("prompts/list", "prompts"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
];

/// A server with something of everything.
fn full(builder: upstream::Builder) -> upstream::Builder {
    builder
        .capabilities(ALL)
        .tool("tool")
        .offers("prompts", [r#"{"name":"prompt"}"#])
        .offers("resources", [r#"{"uri":"x://1","name":"one"}"#])
        .offers(
            "resourceTemplates",
            [r#"{"uriTemplate":"x://{n}","name":"n"}"#],
        )
}

/// Runs a proxy until it has heard all its servers and listed all that they have, and ends it.
async fn learn(proxy: Builder) {
    let names = proxy.names();
    let mut client = proxy.start().await;
    client.initialize().await;
    for name in names {
        let end = format!(" name={name}");
        let is_it = |line: &str| line.contains("connected era=") && line.ends_with(&end);
        client
            .find_in_stderr("connection", |stderr| {
                stderr.lines().find(|l| is_it(l)).map(drop)
            })
            .await;
    }
    client.tools().await;
    for (method, _) in LISTS {
        client.ask(method, json!({})).await;
    }
    assert!(client.close().await.success(), "{}", client.stderr());
}

/// Stops a server, and has another in its place that takes requests and answers none.
async fn hang(server: &Upstream) -> raw::Server {
    server.raw.stop().await;
    raw::server_at(server.raw.address(), |_| async { Reply::hang() })
}

/// The folder of what a proxy with this home remembers.
fn listings(home: &Arc<TempDir>) -> PathBuf {
    home.path().join(".mcp-manifold/listings")
}

/// The files of the upstreams in it.
fn files(home: &Arc<TempDir>) -> Vec<PathBuf> {
    let Ok(folder) = listings(home).read_dir() else {
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

/// Has a file look as if it had been written at this time.
fn age(file: &Path, modified: SystemTime) {
    let opened = File::options().read(true).write(file.is_file()).open(file);
    opened.unwrap().set_modified(modified).unwrap();
}

/// How many lines so far tell of a change of these.
fn told(client: &Client, what: &str) -> usize {
    let method = format!(r#""method":"notifications/{what}/list_changed""#);
    let lines = client.received().into_iter();
    let lines = lines.map(|line| String::from_utf8(line).unwrap());
    lines.filter(|line| line.contains(&method)).count()
}
