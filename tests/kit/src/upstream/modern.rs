//! Streamable HTTP, 2026-07-28: no session, one POST per request, each with its metadata.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{error, knows, reply_to, result};
use super::checks::{Fault, check};
use super::legacy::acceptable;
use super::state::State;
use super::{Reply, Request};
use crate::raw::event;

pub(super) async fn reply(state: &Arc<State>, request: Request) -> Reply {
    if request.path.split('?').next() != Some("/mcp") {
        return Reply::status(404);
    }
    if request.method != "POST" {
        return Reply::status(405);
    }
    if let Err(refusal) = acceptable(&request) {
        return refusal;
    }
    if let Err(fault) = check(state, &request) {
        return refusal(state, &request, fault);
    }
    if request.id_bytes().is_none() {
        return Reply::status(202);
    }
    match request.rpc_method().as_str() {
        method if !knows(state, method) => {
            Reply::json(error(&request, -32601, "Method not found")).with_status(404)
        }
        "server/discover" => Reply::json(result(&request, &discovery(state).to_string())),
        "subscriptions/listen" => listen(state, &request),
        _ => reply_to(state, request).await,
    }
}

fn refusal(state: &State, request: &Request, fault: Fault) -> Reply {
    let message = match fault {
        Fault::Header(what) => error(request, -32020, &format!("Header mismatch: {what}")),
        Fault::Meta(what) => error(request, -32602, &format!("Invalid params: {what}")),
        Fault::Version(requested) => {
            let mut message = error(request, -32022, "Unsupported protocol version");
            let data = json!({"supported": state.script.versions, "requested": requested});
            message.truncate(message.len() - 2);
            message.extend(format!(r#","data":{data}}}}}"#).into_bytes());
            message
        }
    };
    Reply::json(message).with_status(400)
}

fn discovery(state: &State) -> Value {
    let mut discovery = json!({
        "resultType": "complete",
        "supportedVersions": state.script.versions,
        "capabilities": serde_json::from_str::<Value>(&state.script.capabilities).unwrap(),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {
            "io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "1.0.0"},
        },
    });
    if let Some(instructions) = &state.script.instructions {
        discovery["instructions"] = json!(instructions);
    }
    discovery
}

/// Acknowledges the part of the filter that the capabilities allow, and keeps the stream open.
fn listen(state: &State, request: &Request) -> Reply {
    let capabilities: Value = serde_json::from_str(&state.script.capabilities).unwrap();
    let mut filter = request.json()["params"]["notifications"].take();
    if let Some(filter) = filter.as_object_mut() {
        filter.retain(|key, _| match key.as_str() {
            "toolsListChanged" => capabilities["tools"]["listChanged"] == true,
            "promptsListChanged" => capabilities["prompts"]["listChanged"] == true,
            "resourcesListChanged" => capabilities["resources"]["listChanged"] == true,
            "resourceSubscriptions" => capabilities["resources"]["subscribe"] == true,
            _ => false,
        });
    }
    // Indexing would add the member as null.
    let uris = filter.get_mut("resourceSubscriptions");
    if let Some(uris) = uris.and_then(Value::as_array_mut) {
        let declined = &state.script.declined;
        uris.retain(|uri| !declined.iter().any(|declined| uri == declined));
    }
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    let subscription: Value = serde_json::from_str(&id).unwrap();
    let acknowledgement = json!({
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "_meta": {"io.modelcontextprotocol/subscriptionId": subscription},
            "notifications": filter,
        },
    });
    let first = event(acknowledgement.to_string());
    state.open_stream("", Some((id, filter)), Some(first))
}
