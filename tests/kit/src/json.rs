//! What tests read out of JSON-RPC messages, and put into them.

use std::collections::HashMap;

use serde_json::value::RawValue;
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

/// The bytes of the member at the end of `path`, as they stand in a JSON text; `None` if one of
/// the way is missing.
pub fn part<'a>(text: &'a [u8], path: &[&str]) -> Option<&'a str> {
    let mut text = std::str::from_utf8(text).unwrap().trim();
    for key in path {
        let members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        text = members.get(*key)?.get();
    }
    Some(text)
}

/// As [`part`], of a text that must have it.
pub fn bytes_of<'a>(text: &'a [u8], path: &[&str]) -> &'a str {
    let all = String::from_utf8_lossy(text);
    part(text, path).unwrap_or_else(|| panic!("no {path:?} in {all}"))
}
