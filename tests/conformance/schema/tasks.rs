//! Tasks of 2025-11-25: the responses of the servers, and the requests of the clients.

use serde_json::{Value, json};

use crate::schema::peer::Peer;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};

/// Adds tools that require tasks; one of them never ends.
pub(crate) fn with_task_tools(mut builder: Builder) -> Builder {
    for name in ["long", "endless"] {
        let tool = json!({
            "name": name,
            "inputSchema": {"type": "object"},
            "execution": {"taskSupport": "required"},
        });
        builder = builder.tool_raw(&tool.to_string());
    }
    let tasks = json!({"tasks": [task("long", "completed")]});
    let about = |request: &Request| request.json()["params"]["taskId"].take();
    builder
        .result("tasks/list", &tasks.to_string())
        .answers("tasks/cancel", move |request| {
            text(&task(about(request).as_str().unwrap(), "cancelled"))
        })
        .answers("tasks/get", move |request| {
            let id = about(request);
            let id = id.as_str().unwrap();
            let is_over = id != "endless";
            text(&task(id, if is_over { "completed" } else { "working" }))
        })
        .answers("tasks/result", move |request| {
            let related =
                json!({"io.modelcontextprotocol/related-task": {"taskId": about(request)}});
            text(&json!({"content": [], "_meta": related}))
        })
}

/// The response to a call: a task with the name of its tool.
pub(crate) fn created(call: &Request) -> Vec<u8> {
    text(&json!({"task": task(&call.tool(), "working")}))
}

fn task(id: &str, status: &str) -> Value {
    let at = "2025-11-25T00:00:00Z";
    json!({
        "taskId": id,
        "status": status,
        "createdAt": at,
        "lastUpdatedAt": at,
        "ttl": 60_000,
        "pollInterval": 10,
    })
}

fn text(result: &Value) -> Vec<u8> {
    result.to_string().into()
}

/// Runs a task of a client that supports tasks.
pub(crate) async fn run_client_tasks(peer: &mut Peer) {
    let call = json!({"name": "long", "task": {"ttl": 60_000}});
    let created = peer.expect_result("tools/call", call).await;
    let id = json!({"taskId": created["task"]["taskId"]});
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        peer.expect_result(method, id.clone()).await;
    }
    peer.expect_result("tasks/list", json!({})).await;
}

/// Runs proxied tasks for calls without task support.
pub(crate) async fn run_proxied_tasks(peer: &mut Peer, a: &Upstream) {
    peer.expect_result("tools/call", json!({"name": "long"}))
        .await;
    let id = peer.send("tools/call", json!({"name": "endless"})).await;
    let is_task_poll =
        |request: &Request| request.is("tasks/get") && request.text().contains("endless");
    a.raw.wait_for(is_task_poll).await;
    peer.cancel(&id).await;
    a.wait_for_request("tasks/cancel").await;
}
