//! Tasks: a part of 2025-11-25, and an extension of 2026-07-28.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::{answer, text, text_result};
use testkit::json::{bytes_of, part, text_of};
use testkit::raw::Request;
use testkit::upstream::Builder;

crate::translation::rows! {
    task_calls {
        legacy_to_legacy ("MCP 2025-11-25 § Tasks, Creating Tasks" => task_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Basic, ResultType" => unrequested_task_is_an_error)
        modern_to_legacy ["a modern client does not request tasks of 2025-11-25"]
        modern_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => task_passes_unchanged)
    }
    task_methods {
        legacy_to_legacy ("MCP 2025-11-25 § Tasks, Getting Tasks" => task_methods_reach_the_owning_upstream)
        legacy_to_modern ("MCP 2025-11-25 § Tasks, Capability Negotiation" => task_methods_are_unknown)
        modern_to_legacy ("MCP 2026-07-28 § Versioning, Extension Negotiation" => task_methods_are_unknown)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Standard Request Headers" => task_methods_reach_the_owning_upstream)
    }
    task_status {
        legacy_to_legacy ("MCP 2025-11-25 § Tasks, Task Status Notification" => task_status_passes_unchanged)
        legacy_to_modern ["a modern upstream has no tasks of 2025-11-25"]
        modern_to_legacy ("MCP 2026-07-28 § Subscriptions, Opening a Stream" => task_status_is_dropped)
        modern_to_modern ["a modern upstream has no tasks of 2025-11-25"]
    }
    required_tasks {
        legacy_to_legacy ("MCP 2025-11-25 § Tasks, Tool-Level Negotiation" => required_task_is_run_by_the_proxy)
        legacy_to_modern ["a modern upstream starts tasks by itself"]
        modern_to_legacy ("MCP 2025-11-25 § Tasks, Tool-Level Negotiation" => required_task_is_run_by_the_proxy)
        modern_to_modern ["a modern upstream starts tasks by itself"]
    }
}

const TASKS: &str = r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// The capabilities of a client with the extension.
const EXTENDED: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

fn tool(name: &str, support: &str) -> String {
    let schema = json!({"type": "object"});
    json!({"name": name, "inputSchema": schema, "execution": {"taskSupport": support}}).to_string()
}

/// The result of a call that became a task, in the upstream's era.
fn task(pairing: Pairing, id: &str) -> String {
    let times = r#""createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z""#;
    let task = format!(r#""taskId":"{id}","status":"working",{times}"#);
    match pairing.legacy_upstream() {
        true => format!(r#"{{ "task":{{{task},"ttl":6E4,"pollInterval":1}}}}"#),
        false => format!(r#"{{ "resultType":"task",{task},"ttlMs":6E4,"pollIntervalMs":1}}"#),
    }
}

/// A server whose tool `name` runs as the task `id`.
fn server_with_task(pairing: Pairing, builder: Builder, name: &str, id: &str) -> Builder {
    let task = task(pairing, id);
    let builder = builder.capabilities(TASKS);
    let builder = builder.tool_raw(&tool(name, "optional"));
    builder.reply_with(move |_| task.clone().into_bytes())
}

async fn task_passes_unchanged(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_task(pairing, builder, "t", "k").start().await;
        let mut client = pairing.client(&server).await;
        let members = match pairing {
            Pairing::LegacyToLegacy => r#""name":"t","task":{ "ttl":6E4},"arguments":{}"#,
            _ => r#""name":"t","arguments":{}"#,
        };
        let line = pairing.line_with(EXTENDED, "7", "tools/call", "", members);
        let answer = client.exchange(line, "7").await;
        assert_eq!(
            part(&answer, &["result"]),
            Some(&*task(pairing, "k")),
            "{}",
            text(&answer)
        );
        let call = server.calls().remove(0);
        assert!(text(&call).contains(members), "{}", text(&call));
    }
}

async fn unrequested_task_is_an_error(pairing: Pairing) {
    let server = server_with_task(pairing, pairing.server(), "t", "k")
        .start()
        .await;
    let mut client = pairing.client(&server).await;
    let response = client.call("t", json!({})).await;
    assert!(response["error"].is_object(), "{response}");
    assert_eq!(server.calls().len(), 1);
}

/// The task methods of the upstream's era.
fn methods(pairing: Pairing) -> &'static [&'static str] {
    match pairing.legacy_upstream() {
        true => &["tasks/get", "tasks/result", "tasks/cancel"],
        false => &["tasks/get", "tasks/update", "tasks/cancel"],
    }
}

async fn task_methods_reach_the_owning_upstream(pairing: Pairing) {
    let result = r#"{ "taskId":"k2","status":"working","x":1E2,"resultType":"complete"}"#;
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let mut servers = [
            server_with_task(pairing, a, "t", "k1"),
            server_with_task(pairing, b, "u", "k2"),
        ];
        for method in methods(pairing) {
            servers = servers.map(|server| server.result(method, result));
        }
        let [a, b] = servers;
        let (a, b) = (a.start().await, b.start().await);
        let mut client = pairing.client_of_two(&a, &b).await;
        for name in ["t", "u"] {
            let task = if pairing.legacy_upstream() {
                r#","task":{}"#
            } else {
                ""
            };
            let members = format!(r#""name":"{name}"{task}"#);
            let line = pairing.line_with(EXTENDED, "7", "tools/call", "", &members);
            client.exchange(line, "7").await;
        }
        for method in methods(pairing) {
            let members = r#""taskId":"k\u0032", "x":1E2"#;
            let line = pairing.line_with(EXTENDED, "8", method, "", members);
            let answer = client.exchange(line, "8").await;
            assert_eq!(
                part(&answer, &["result"]),
                Some(result),
                "{}",
                text(&answer)
            );
            let count = b.wait_for_request(method).await;
            assert!(count.text().contains(members), "{}", count.text());
            let name = (!pairing.legacy_upstream()).then_some("k2");
            assert_eq!(count.header("mcp-name"), name);
            assert!(a.requests_of(method).is_empty());
        }
    }
}

async fn task_methods_are_unknown(pairing: Pairing) {
    let server = pairing.server().capabilities(TASKS).tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    for method in ["tasks/get", "tasks/result", "tasks/cancel", "tasks/list"] {
        let response = client.request_in_era(method, json!({"taskId": "k"})).await;
        assert_eq!(response["error"]["code"], -32601, "{method}: {response}");
        assert!(server.requests_of(method).is_empty());
    }
}

const STATUS: &str = r#"{ "jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"k","status":"working","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":6E4}}"#;

async fn task_status_passes_unchanged(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_task(pairing, builder, "t", "k").start().await;
        let mut client = pairing.client(&server).await;
        let line = pairing.line("7", "tools/call", "", r#""name":"t","task":{}"#);
        client.exchange(line, "7").await;
        server.event_stream().await.send(STATUS).await;
        let notification = client.notification_line("notifications/tasks/status").await;
        assert_eq!(text(&notification), STATUS);
    }
}

/// A server whose tool requires the task `k`, which completes at the third `tasks/get`.
fn server_requiring_tasks(builder: Builder) -> Builder {
    let count = AtomicUsize::new(0);
    let state = |status: &str| {
        let now = "2025-11-25T10:30:00Z";
        json!({"taskId": "k", "status": status, "createdAt": now, "lastUpdatedAt": now, "ttl": 60000, "pollInterval": 1})
    };
    let builder = builder.capabilities(TASKS).tool_raw(&tool("t", "required"));
    builder
        .on_call(move |call| async move {
            if call.request.json()["params"]["task"].is_null() {
                let error = r#""error":{"code":-32601,"message":"only as a task"}"#;
                return answer(&call.request, error);
            }
            call.send(STATUS).await;
            json!({"task": state("working")}).to_string().into_bytes()
        })
        .answers("tasks/get", move |_| {
            let done = count.fetch_add(1, Ordering::Relaxed) >= 2;
            let status = if done { "completed" } else { "working" };
            state(status).to_string().into_bytes()
        })
        .answers("tasks/result", |request| match is_for_task_k(request) {
            true => text_result("done"),
            false => answer(
                request,
                r#""error":{"code":-32602,"message":"no such task"}"#,
            ),
        })
}

fn is_for_task_k(request: &Request) -> bool {
    request.json()["params"]["taskId"] == "k"
}

async fn required_task_is_run_by_the_proxy(pairing: Pairing) {
    let server = server_requiring_tasks(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    let members = r#""name":"t","arguments":{ "x":1E2}"#;
    let line = pairing.line("7", "tools/call", "", members);
    let response = client.exchange(line, "7").await;
    let response: Value = serde_json::from_slice(&response).unwrap();
    assert_eq!(text_of(&response), "done");
    let calls = server.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        bytes_of(&calls[0], &["params", "arguments"]),
        r#"{ "x":1E2}"#
    );
    assert!(server.requests_of("tasks/get").iter().all(is_for_task_k));
}

async fn task_status_is_dropped(pairing: Pairing) {
    let server = server_requiring_tasks(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    let stream = server.event_stream().await;
    stream.send(STATUS).await;
    stream.read().await;
    assert!(client.close().await.success());
    assert!(
        client
            .received_with("notifications/tasks/status")
            .is_empty()
    );
}
