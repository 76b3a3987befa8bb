//! Messages that the proxy itself creates: responses, errors and cancellations.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// A response by the proxy to a forwarded request. The client's id replaces the placeholder id `0` later.
pub(crate) fn success_response(result: &[u8]) -> Message {
    own_message(Line::result(b"0", Bytes::copy_from_slice(result)))
}

/// An error response by the proxy to a forwarded request, with the placeholder id `0`.
pub(crate) fn error_response(code: i64, text: &str) -> Message {
    own_message(Line::error(b"0", code, text, &Value::Null))
}

pub(crate) fn own_message(line: Line) -> Message {
    Message::parse(line.into_bytes()).unwrap_or_else(|_| unreachable!("we wrote it"))
}
/// The error text for an unknown method.
pub(crate) fn unknown_method_text(method: &str) -> String {
    format!("method `{method}` is not known here")
}

/// The response to a server request that is not forwarded to the client. It is an empty result for `ping` and
/// an error for other methods, which the client did not declare.
#[must_use]
pub(crate) fn default_response(request: &Message) -> Bytes {
    let id = request.id().unwrap_or_else(|| Bytes::from_static(b"null"));
    let line = match &*request.method() {
        "ping" => Line::result(&id, &b"{}"[..]),
        method => {
            let text = format!("`{method}` was not declared by the client");
            Line::error(&id, code::METHOD_NOT_FOUND, &text, &serde_json::Value::Null)
        }
    };
    line.into_bytes()
}

/// The text and code of an upstream's JSON-RPC error.
pub(crate) fn error_text(message: &Message) -> String {
    #[derive(serde::Deserialize)]
    struct Error {
        code: Option<i64>,
        message: Option<String>,
    }
    let error = message
        .error()
        .and_then(|error| serde_json::from_slice::<Error>(error).ok());
    match error {
        Some(Error {
            code: Some(code),
            message,
        }) => {
            format!("{} (error {code})", message.unwrap_or_default())
        }
        _ => "a malformed JSON-RPC error".to_owned(),
    }
}

/// The `notifications/cancelled` that the proxy sends for its own request (MCP 2025-11-25 § Cancellation).
#[must_use]
pub(crate) fn cancelled_notification(id: impl Into<Value>, reason: &str) -> Bytes {
    let params = json!({"requestId": id.into(), "reason": reason});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        .to_string()
        .into()
}
