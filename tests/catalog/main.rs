//! What the client is shown: the tools of all upstreams, filtered, in order, under stable names.

#![allow(clippy::unwrap_used, clippy::panic)]

mod changes;
mod definitions;
mod listing;
mod names;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::raw::Request;
use support::upstream;

/// One scripted server of each kind.
fn kinds() -> [(&'static str, upstream::Builder); 3] {
    [
        ("legacy", upstream::legacy()),
        ("modern", upstream::modern()),
        ("HTTP+SSE", upstream::http_sse()),
    ]
}

/// The text of the first item of a tool's answer.
fn text_of(response: &Value) -> &str {
    response["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {response}"))
}

/// A whole answer to `request` with this result.
fn answer(request: &Request, result: &Value) -> String {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

/// How many of `requests` ask for `method`.
fn count(requests: &[Request], method: &str) -> usize {
    let asks = requests.iter().filter(|request| request.is(method));
    asks.count()
}
