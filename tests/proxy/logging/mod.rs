//! Log notifications: a client of either era receives those of its level from upstreams of either era.

mod requests;
mod server_streams;
mod session;

use serde_json::{Value, json};

use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};

/// The log levels, most verbose first.
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

/// The parameters of logs without a known level. `talk` sends them after one log for each level.
const UNKNOWN_LEVELS: [&str; 3] = [r#"{"level":"loud"}"#, r#"{"level":5}"#, "{}"];

/// Adds logging and the tool `talk`, which sends a log at every level, whatever level was set.
fn with_talk_tool(builder: Builder) -> Builder {
    with_logging(builder)
        .tool("talk")
        .on_call(|call| async move {
            for level in LEVELS {
                call.send(log_notification(&format!(r#"{{"level":"{level}"}}"#)))
                    .await;
            }
            for params in UNKNOWN_LEVELS {
                call.send(log_notification(params)).await;
            }
            br#"{"content":[]}"#.to_vec()
        })
}

/// Declares the logging capability and accepts `logging/setLevel`.
fn with_logging(builder: Builder) -> Builder {
    builder
        .capabilities(r#"{"tools":{"listChanged":true},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec())
}

fn log_notification(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{params}}}"#)
}

/// Returns the parameters of the logs of `talk` that a client with this level receives.
fn logs_from(level: &str) -> Vec<String> {
    let from = LEVELS.iter().position(|name| *name == level).unwrap();
    let named = LEVELS[from..].iter();
    let named = named.map(|level| format!(r#"{{"level":"{level}"}}"#));
    named.chain(UNKNOWN_LEVELS.map(str::to_owned)).collect()
}

/// Returns the parameters of the logs that the client received after its first `before` lines.
fn logs_since(client: &Client, before: usize) -> Vec<String> {
    let lines = client.received();
    let lines = lines[before..].iter().filter_map(|line| {
        let line = std::str::from_utf8(line).unwrap();
        let start = log_notification("");
        let params = line.strip_prefix(start.strip_suffix('}').unwrap())?;
        Some(params.strip_suffix('}').unwrap().to_owned())
    });
    lines.collect()
}

/// Calls `name` as a modern client with this log level and returns the response.
async fn call_with_level(client: &mut Client, name: &str, level: &str) -> Value {
    let id = send_call_with_level(client, name, level).await;
    client.response(id).await
}

/// Sends the call of [`call_with_level`] and returns the id of the request.
async fn send_call_with_level(client: &mut Client, name: &str, level: &str) -> u64 {
    let meta = json!({"io.modelcontextprotocol/logLevel": level});
    let params = testkit::proxy::with_meta(json!({"name": name, "_meta": meta}));
    client.send_request("tools/call", params).await
}

/// Sets the log level of the session.
async fn set_level(client: &mut Client, level: &str) {
    let answer = client
        .request("logging/setLevel", json!({"level": level}))
        .await;
    assert_eq!(answer["result"], json!({}), "{answer}");
}

fn sets_level(request: &Request) -> bool {
    request.rpc_method() == "logging/setLevel"
}

/// Returns the levels that the server received so far.
fn levels_set(server: &Upstream) -> Vec<String> {
    let requests = server.raw.requests().into_iter();
    let levels = requests.filter(sets_level).map(|request| {
        let level = request.json()["params"]["level"].take();
        level.as_str().unwrap().to_owned()
    });
    levels.collect()
}
