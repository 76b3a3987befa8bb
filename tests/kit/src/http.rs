//! A plain HTTP client, to test the servers without the proxy.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::within;

/// Returns an HTTP client that ignores the proxy settings of this machine.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Posts a body with these headers, and the headers of every MCP request.
pub async fn post(url: &str, headers: &[(&str, &str)], body: impl ToString) -> reqwest::Response {
    let mut request = client()
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    within("a response", request.send()).await.unwrap()
}

/// Returns a JSON-RPC request with the id 1.
pub fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// Returns the request that opens a legacy session.
pub fn initialize() -> Value {
    let client_info = json!({"name": "test", "version": "1"});
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info});
    request("initialize", params)
}

/// Returns the single JSON message of a response, as JSON or as an event stream.
pub async fn message(response: reqwest::Response) -> Value {
    let body = within("a body", response.text()).await.unwrap();
    let mut data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let last = data.next_back().map_or(body.as_str(), str::trim);
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {body}"))
}

/// Reads a stream until it contains `part`.
pub async fn read_until(response: &mut reqwest::Response, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        let chunk = within(part, response.chunk()).await.unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
    }
    text
}

/// Opens a legacy session and returns its headers.
pub async fn session(url: &str) -> Vec<(&'static str, String)> {
    let response = post(url, &[], initialize()).await;
    assert_eq!(response.status(), 200);
    let id = response.headers()["mcp-session-id"].to_str().unwrap();
    vec![
        ("mcp-session-id", id.to_owned()),
        ("mcp-protocol-version", "2025-11-25".to_owned()),
    ]
}

/// Borrows owned headers for [`post`].
pub fn borrowed<'a>(headers: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(k, v)| (*k, v.as_str())).collect()
}

/// The header of a modern request, for [`with_meta`](super::proxy::with_meta).
pub const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
