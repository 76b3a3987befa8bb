//! Servers with tasks, of either era.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use testkit::raw::Request;
use testkit::upstream::{self, Builder};

/// The capabilities of a server of 2025-11-25 that supports every task method.
pub(crate) const LEGACY: &str =
    r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#;

/// The capabilities of a modern server with the tasks extension.
pub(crate) const MODERN: &str = r#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// The result of a task, with spellings that a parse and a print would change.
pub(crate) const RESULT: &str = r#"{ "content":[ ],"x":1.50 ,"y":[1E+2,"\u00fc\/"],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#;

/// The error for a client that does not declare the extension.
pub(crate) const MISSING_CAPABILITY: &str = r#"{"code":-32021,"message":"no","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}"#;

/// The statuses of a task: each poll returns the next one, and the last one repeats.
#[derive(Clone)]
pub(crate) struct Statuses(Arc<Mutex<Vec<String>>>);

impl Statuses {
    /// Creates the sequence. Text after a space in a status is further members of the task.
    pub(crate) fn new<'a>(statuses: impl IntoIterator<Item = &'a str>) -> Self {
        let mut statuses: Vec<_> = statuses.into_iter().map(str::to_owned).collect();
        statuses.reverse();
        Self(Arc::new(Mutex::new(statuses)))
    }

    /// Replaces the rest of the sequence by this status.
    pub(crate) fn set(&self, status: &str) {
        *self.0.lock().unwrap() = vec![status.to_owned()];
    }

    fn next(&self) -> String {
        let mut statuses = self.0.lock().unwrap();
        match statuses.len() {
            1 => statuses[0].clone(),
            _ => statuses.pop().unwrap(),
        }
    }
}

/// A task of 2025-11-25, JSON; `status` as in [`Statuses::new`].
pub(crate) fn task(id: &str, status: &str) -> String {
    let (status, more) = status.split_once(' ').unwrap_or((status, ""));
    format!(
        r#"{{ "taskId":"{id}","status":"{status}","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":6.0e4,"pollInterval":1{more}}}"#
    )
}

/// The response to `request` with this JSON error.
pub(crate) fn error_to(request: &Request, error: &str) -> Vec<u8> {
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// The definition of a tool with this value of `taskSupport`.
pub(crate) fn tool(name: &str, support: &str) -> String {
    format!(
        r#"{{"name":"{name}","inputSchema":{{"type":"object"}},"execution":{{"taskSupport":"{support}"}}}}"#
    )
}

/// A legacy server whose tool `run` requires a task, which gets this id and these statuses.
pub(crate) fn legacy(id: &str, statuses: &Statuses) -> Builder {
    with_task(upstream::legacy(), id, statuses)
}

/// Adds the tool and the task of [`legacy`] to a server of any legacy transport.
pub(crate) fn with_task(builder: Builder, id: &str, statuses: &Statuses) -> Builder {
    let (statuses, id) = (statuses.clone(), id.to_owned());
    let (created, polled, cancelled) = (id.clone(), id.clone(), id.clone());
    builder
        .capabilities(LEGACY)
        .tool_raw(&tool("run", "required"))
        .reply_with(move |request| match &request.json()["params"]["task"] {
            Value::Object(_) => {
                format!(r#"{{"task":{} ,"x":1.0}}"#, task(&created, "working")).into()
            }
            _ => error_to(request, r#"{"code":-32601,"message":"only as a task"}"#),
        })
        .answers("tasks/get", move |request| {
            reply_of_owner(request, &polled, || task(&polled, &statuses.next()))
        })
        .answers("tasks/result", move |request| {
            reply_of_owner(request, &id, || RESULT.to_owned())
        })
        .answers("tasks/cancel", move |request| {
            reply_of_owner(request, &cancelled, || task(&cancelled, "cancelled"))
        })
}

/// A modern server whose tool `run` requires a task, which gets this id and these statuses.
pub(crate) fn modern(id: &str, statuses: &Statuses) -> Builder {
    let (statuses, id) = (statuses.clone(), id.to_owned());
    let (created, polled, cancelled) = (id.clone(), id.clone(), id.clone());
    upstream::modern()
        .capabilities(MODERN)
        .tool("run")
        .reply_with(move |request| match declares_tasks(request) {
            true => modern_task("task", &created, "working").into(),
            false => error_to(request, MISSING_CAPABILITY),
        })
        .answers("tasks/get", move |request| {
            reply_of_modern_owner(request, &polled, || {
                modern_task("complete", &polled, &statuses.next())
            })
        })
        .answers("tasks/update", move |request| {
            reply_of_modern_owner(request, &id, || r#"{"resultType":"complete"}"#.to_owned())
        })
        .answers("tasks/cancel", move |request| {
            reply_of_modern_owner(request, &cancelled, || {
                r#"{"resultType":"complete"}"#.to_owned()
            })
        })
}

/// A task of the extension, JSON; `status` as in [`Statuses::new`].
pub(crate) fn modern_task(kind: &str, id: &str, status: &str) -> String {
    let (status, more) = status.split_once(' ').unwrap_or((status, ""));
    format!(
        r#"{{"resultType":"{kind}", "taskId":"{id}","status":"{status}","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttlMs":6.0e4,"pollIntervalMs":1{more}}}"#
    )
}

/// Returns `true` if the request declares the extension.
pub(crate) fn declares_tasks(request: &Request) -> bool {
    let capabilities =
        &request.json()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    capabilities["extensions"]["io.modelcontextprotocol/tasks"].is_object()
}

fn reply_of_owner(request: &Request, id: &str, answer: impl FnOnce() -> String) -> Vec<u8> {
    // The id of a test may contain JSON escapes.
    let id: String = serde_json::from_str(&format!("\"{id}\"")).unwrap();
    match request.json()["params"]["taskId"] == id {
        true => answer().into(),
        false => error_to(
            request,
            r#"{"code":-32602,"message":"no such task", "z":1.0}"#,
        ),
    }
}

fn reply_of_modern_owner(request: &Request, id: &str, answer: impl FnOnce() -> String) -> Vec<u8> {
    match declares_tasks(request) {
        true => reply_of_owner(request, id, answer),
        false => error_to(request, MISSING_CAPABILITY),
    }
}
