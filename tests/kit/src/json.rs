//! Reads parts of JSON-RPC messages, and writes responses.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::raw::Request;

/// Returns the text of the first content block of a tool result.
pub fn text_of(response: &Value) -> &str {
    response["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {response}"))
}

/// Returns the line of a request with this `id` and these `params`, both JSON.
pub fn request_line(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// Returns a response to `request` with this result.
pub fn answer(request: &Request, result: &Value) -> String {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

/// Returns the bytes of the member at the end of `path` in a JSON text.
///
/// Returns `None` if a member of the path does not exist.
pub fn part<'a>(text: &'a [u8], path: &[&str]) -> Option<&'a str> {
    let mut text = std::str::from_utf8(text).unwrap().trim();
    for key in path {
        let members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        text = members.get(*key)?.get();
    }
    Some(text)
}

/// Returns the bytes like [`part`]; panics if the member is missing.
pub fn bytes_of<'a>(text: &'a [u8], path: &[&str]) -> &'a str {
    let all = String::from_utf8_lossy(text);
    part(text, path).unwrap_or_else(|| panic!("no {path:?} in {all}"))
}
