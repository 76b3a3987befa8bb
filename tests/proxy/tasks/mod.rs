//! Tasks: those of 2025-11-25 and those of the modern extension; asked about at their owners, listed
//! from everywhere, and followed for clients that know none.

mod asking;
mod cancelled;
mod declared;
mod listing;
mod parked;
mod relayed;
mod required;
mod sdk;
pub(crate) mod server;
mod trouble;

use serde_json::{Value, json};

use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::Upstream;

/// The line of a request; `id` and `params` are JSON.
pub(crate) fn line(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The parameters of a modern client, JSON without its braces, that knows the extension or does not.
fn meta(knows_tasks: bool) -> String {
    let capabilities = match knows_tasks {
        true => r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        false => "{}",
    };
    format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"test","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#
    )
}

/// Sends a request and gives the line that answers it.
async fn exchange(client: &mut Client, method: &str, params: &str) -> String {
    let id = format!(r#""{method}""#);
    let answer = client.exchange(line(&id, method, params), &id).await;
    String::from_utf8(answer).unwrap()
}

/// The same, as a JSON value.
async fn ask(client: &mut Client, method: &str, params: &str) -> Value {
    serde_json::from_str(&exchange(client, method, params).await).unwrap()
}

/// The line that carries a result, JSON, to [`exchange`].
fn result_line(method: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"{method}","result":{result}}}"#)
}

/// The requests of this method that came to a server so far.
fn asked(server: &Upstream, method: &str) -> Vec<Request> {
    let mut requests = server.raw.requests();
    requests.retain(|request| request.is(method));
    requests
}

/// The parameters of a request of the proxy, but for what is not about tasks.
fn params_of(request: &Request) -> Value {
    let mut params = request.json()["params"].take();
    params.as_object_mut().unwrap().remove("_meta");
    params
}

fn task_id(id: &str) -> Value {
    json!({"taskId": id})
}
