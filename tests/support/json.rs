//! What tests read out of JSON-RPC messages, and put into them.

use serde_json::{Value, json};

use super::raw::Request;

/// The text of the first item of a tool's answer.
pub fn text_of(response: &Value) -> &str {
    response["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {response}"))
}

/// A whole answer to `request` with this result.
pub fn answer(request: &Request, result: &Value) -> String {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}
