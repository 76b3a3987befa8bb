//! Tasks of revision 2025-11-25 and of the modern extension.
//!
//! The proxy forwards requests about a task to its owner, and merges task listings. It runs proxied
//! tasks for clients that do not support tasks.

mod cancellation;
mod client_tasks;
mod faults;
mod input_requests;
mod legacy_proxied;
mod listing;
mod modern_proxied;
mod sdk;
pub(crate) mod server;
mod suspended_calls;

use serde_json::{Value, json};

use testkit::proxy::Client;
use testkit::raw::Request;

/// The `_meta` member of a modern client's parameters, with or without the tasks extension.
fn meta(declares_tasks: bool) -> String {
    let capabilities = match declares_tasks {
        true => r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        false => "{}",
    };
    format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"test","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#
    )
}

/// Sends a request and returns its response as a JSON value.
async fn exchange_json(client: &mut Client, method: &str, params: &str) -> Value {
    serde_json::from_str(&client.exchange_request(method, params).await).unwrap()
}

/// The response line of [`Client::exchange_request`] for this JSON result.
fn result_line(method: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"{method}","result":{result}}}"#)
}

/// The parameters of a request without `_meta`.
fn params_of(request: &Request) -> Value {
    let mut params = request.json()["params"].take();
    params.as_object_mut().unwrap().remove("_meta");
    params
}

fn task_id(id: &str) -> Value {
    json!({"taskId": id})
}
