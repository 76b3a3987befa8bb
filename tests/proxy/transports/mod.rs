//! The requests to an upstream of each transport, and the forms of its responses.

mod http_sse;
mod legacy;
mod legacy_streams;
mod modern;
mod modern_headers;
mod redirects;

use serde_json::{Value, json};
use testkit::raw::Request;

/// A tool result with the content `text`.
fn text_result(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "resultType": "complete"})
}

/// A log notification with the data `text`.
fn log_message(text: &str) -> String {
    let params = json!({"level": "info", "data": text});
    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}).to_string()
}

/// The number of `requests` with `method`.
fn count(requests: &[Request], method: &str) -> usize {
    let matching = requests.iter().filter(|request| request.is(method));
    matching.count()
}
