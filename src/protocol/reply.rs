//! Messages of our own making: responses, refusals and cancellations.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// A response of our own making, for a request that is being relayed: it gets its id on the way out.
pub(crate) fn success_response(result: &[u8]) -> Message {
    own_message(Line::result(b"0", Bytes::copy_from_slice(result)))
}

/// The same, with an error.
pub(crate) fn error_response(code: i64, text: &str) -> Message {
    own_message(Line::error(b"0", code, text, &Value::Null))
}

pub(crate) fn own_message(line: Line) -> Message {
    Message::parse(line.into_bytes()).unwrap_or_else(|_| unreachable!("we wrote it"))
}
/// What to say of a method that nobody serves.
pub(crate) fn unknown_method_text(method: &str) -> String {
    format!("method `{method}` is not known here")
}

/// What a request of an upstream is answered with that is not for the client: `ping` with an empty
/// result, anything else with an error, since nothing that was declared allows it.
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

/// The `message` of a JSON-RPC error, as an upstream sent it.
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
        _ => "an error of unknown form".to_owned(),
    }
}

/// `notifications/cancelled` when it is we who give up (MCP 2025-11-25 § Cancellation).
#[must_use]
pub(crate) fn cancelled_notification(id: impl Into<Value>, reason: &str) -> Bytes {
    let params = json!({"requestId": id.into(), "reason": reason});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        .to_string()
        .into()
}
