//! Servers with tasks, of either era.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use testkit::raw::Request;
use testkit::upstream::{self, Builder};

/// What a server of 2025-11-25 declares that has everything of tasks.
pub(crate) const LEGACY: &str =
    r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#;

/// What a modern server declares.
pub(crate) const MODERN: &str = r#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// The result of a task, with everything that a parser and a printer would change.
pub(crate) const RESULT: &str = r#"{ "content":[ ],"x":1.50 ,"y":[1E+2,"\u00fc\/"],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#;

/// The refusal of one that does not know the extension.
pub(crate) const LACKING: &str = r#"{"code":-32021,"message":"no","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}"#;

/// What a task is at: each look shows the next, and the last one again and again.
#[derive(Clone)]
pub(crate) struct Course(Arc<Mutex<Vec<String>>>);

impl Course {
    /// Of these statuses; what follows a space are members of the task besides.
    pub(crate) fn new<'a>(statuses: impl IntoIterator<Item = &'a str>) -> Self {
        let mut statuses: Vec<_> = statuses.into_iter().map(str::to_owned).collect();
        statuses.reverse();
        Self(Arc::new(Mutex::new(statuses)))
    }

    /// Goes on like this from now.
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

/// A task of 2025-11-25, JSON; `status` as in [`Course::new`].
pub(crate) fn task(id: &str, status: &str) -> String {
    let (status, more) = status.split_once(' ').unwrap_or((status, ""));
    format!(
        r#"{{ "taskId":"{id}","status":"{status}","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":6.0e4,"pollInterval":1{more}}}"#
    )
}

/// A whole answer to `request` with this error, JSON.
pub(crate) fn error_to(request: &Request, error: &str) -> Vec<u8> {
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// The definition of a tool that supports tasks in this way.
pub(crate) fn tool(name: &str, support: &str) -> String {
    format!(
        r#"{{"name":"{name}","inputSchema":{{"type":"object"}},"execution":{{"taskSupport":"{support}"}}}}"#
    )
}

/// A legacy server whose tool `run` is a task alone, of this id and course.
pub(crate) fn legacy(id: &str, course: &Course) -> Builder {
    builder(upstream::legacy(), id, course)
}

/// The same with another transport.
pub(crate) fn builder(builder: Builder, id: &str, course: &Course) -> Builder {
    let (course, id) = (course.clone(), id.to_owned());
    let (created, seen, cancelled) = (id.clone(), id.clone(), id.clone());
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
            known(request, &seen, || task(&seen, &course.next()))
        })
        .answers("tasks/result", move |request| {
            known(request, &id, || RESULT.to_owned())
        })
        .answers("tasks/cancel", move |request| {
            known(request, &cancelled, || task(&cancelled, "cancelled"))
        })
}

/// A modern server whose tool `run` is a task alone, of this id and course.
pub(crate) fn modern(id: &str, course: &Course) -> Builder {
    let (course, id) = (course.clone(), id.to_owned());
    let (created, seen, cancelled) = (id.clone(), id.clone(), id.clone());
    upstream::modern()
        .capabilities(MODERN)
        .tool("run")
        .reply_with(move |request| match knows_tasks(request) {
            true => modern_task("task", &created, "working").into(),
            false => error_to(request, LACKING),
        })
        .answers("tasks/get", move |request| {
            known_modern(request, &seen, || {
                modern_task("complete", &seen, &course.next())
            })
        })
        .answers("tasks/update", move |request| {
            known_modern(request, &id, || r#"{"resultType":"complete"}"#.to_owned())
        })
        .answers("tasks/cancel", move |request| {
            known_modern(request, &cancelled, || {
                r#"{"resultType":"complete"}"#.to_owned()
            })
        })
}

/// A task of the extension, JSON; `status` as in [`Course::new`].
pub(crate) fn modern_task(kind: &str, id: &str, status: &str) -> String {
    let (status, more) = status.split_once(' ').unwrap_or((status, ""));
    format!(
        r#"{{"resultType":"{kind}", "taskId":"{id}","status":"{status}","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttlMs":6.0e4,"pollIntervalMs":1{more}}}"#
    )
}

/// Whether a request declares the extension.
pub(crate) fn knows_tasks(request: &Request) -> bool {
    let capabilities =
        &request.json()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    capabilities["extensions"]["io.modelcontextprotocol/tasks"].is_object()
}

fn known(request: &Request, id: &str, answer: impl FnOnce() -> String) -> Vec<u8> {
    // It may be written with escapes.
    let id: String = serde_json::from_str(&format!("\"{id}\"")).unwrap();
    match request.json()["params"]["taskId"] == id {
        true => answer().into(),
        false => error_to(
            request,
            r#"{"code":-32602,"message":"no such task", "z":1.0}"#,
        ),
    }
}

fn known_modern(request: &Request, id: &str, answer: impl FnOnce() -> String) -> Vec<u8> {
    match knows_tasks(request) {
        true => known(request, id, answer),
        false => error_to(request, LACKING),
    }
}
