//! What goes over the wire to an upstream of each transport, and what its answers may look like.

mod http_sse;
mod legacy;
mod legacy_streams;
mod modern;
mod modern_headers;
mod redirects;

use serde_json::{Value, json};
use testkit::raw::Request;

/// The result of a tool that says `text`.
fn says(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "resultType": "complete"})
}

/// A message of the server's log.
fn log_message(text: &str) -> String {
    let params = json!({"level": "info", "data": text});
    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}).to_string()
}

/// How many of `requests` ask for `method`.
fn count(requests: &[Request], method: &str) -> usize {
    let asks = requests.iter().filter(|request| request.is(method));
    asks.count()
}
