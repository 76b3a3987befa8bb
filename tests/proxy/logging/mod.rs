//! Logs: as many as the client wants, in the way of its era, from upstreams of any era.

mod requests;
mod server_streams;
mod session;

use serde_json::{Value, json};

use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};

/// The levels, the most verbose first.
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// What `talk` says besides one log a level: of these nobody knows how severe they are.
const ODD: [&str; 3] = [r#"{"level":"loud"}"#, r#"{"level":5}"#, "{}"];

/// A server that logs, with a tool `talk` that says something at every level, whatever was set.
fn logging(builder: Builder) -> Builder {
    silent(builder).tool("talk").on_call(|call| async move {
        for level in LEVELS {
            call.send(log(&format!(r#"{{"level":"{level}"}}"#))).await;
        }
        for odd in ODD {
            call.send(log(odd)).await;
        }
        br#"{"content":[]}"#.to_vec()
    })
}

/// A server that declares that it logs.
fn silent(builder: Builder) -> Builder {
    builder
        .capabilities(r#"{"tools":{"listChanged":true},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec())
}

fn log(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{params}}}"#)
}

/// What `talk` says to who wants logs from `level` on.
fn heard_from(level: &str) -> Vec<String> {
    let from = LEVELS.iter().position(|name| *name == level).unwrap();
    let named = LEVELS[from..].iter();
    let named = named.map(|level| format!(r#"{{"level":"{level}"}}"#));
    named.chain(ODD.map(str::to_owned)).collect()
}

/// The parameters of the logs that the client has got since it had `before` lines.
fn logs_since(client: &Client, before: usize) -> Vec<String> {
    let lines = client.received();
    let lines = lines[before..].iter().filter_map(|line| {
        let line = std::str::from_utf8(line).unwrap();
        let start = log("");
        let params = line.strip_prefix(start.strip_suffix('}').unwrap())?;
        Some(params.strip_suffix('}').unwrap().to_owned())
    });
    lines.collect()
}

/// Calls `name` as a modern client that wants logs from `level` on, and gives the answer.
async fn call_at(client: &mut Client, name: &str, level: &str) -> Value {
    let id = begin_at(client, name, level).await;
    client.response(id).await
}

/// As [`call_at`], giving the id of the request.
async fn begin_at(client: &mut Client, name: &str, level: &str) -> u64 {
    let meta = json!({"io.modelcontextprotocol/logLevel": level});
    let params = testkit::proxy::with_meta(json!({"name": name, "_meta": meta}));
    client.send_request("tools/call", params).await
}

/// Sets the level of the session.
async fn set_level(client: &mut Client, level: &str) {
    let answer = client
        .request("logging/setLevel", json!({"level": level}))
        .await;
    assert_eq!(answer["result"], json!({}), "{answer}");
}

fn sets_level(request: &Request) -> bool {
    request.rpc_method() == "logging/setLevel"
}

/// The levels that a server was told so far.
fn levels_set(server: &Upstream) -> Vec<String> {
    let requests = server.raw.requests().into_iter();
    let levels = requests.filter(sets_level).map(|request| {
        let level = request.json()["params"]["level"].take();
        level.as_str().unwrap().to_owned()
    });
    levels.collect()
}
