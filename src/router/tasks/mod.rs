//! Tasks: calls whose result comes later, and is asked for (MCP 2025-11-25 § Tasks; the extension
//! `io.modelcontextprotocol/tasks`, SEP-2663). One lives at one upstream and in that one's era.
//!
//! What a client asks about its tasks goes to their owners, and their listings are merged. A tool that
//! runs as a task alone serves a client that knows none as well: the task is followed for it.

mod errand;
mod extension;
mod follow;
mod owners;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::Router;
use super::bridge::Target;
use super::calls::only;
use super::extensions::unknown;
use super::relay::Relayed;
use crate::upstream::{Live, TransportError, Upstream};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::{Era, Line, Message};

pub(super) use errand::{Errand, Errands};
pub(super) use extension::declare;
pub(super) use owners::Owners;
pub(super) use task::{AsTask, Task};

/// How long an upstream may take to list its tasks.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

impl Router {
    /// The `tasks` capability of the upstreams that are connected now, merged: what a client of
    /// 2025-11-25 can ask of them (§ Tasks, Capabilities). `None` where none has any.
    #[must_use]
    pub fn tasks_capability(&self) -> Option<Value> {
        let lives: Vec<_> = self.upstreams.iter().filter_map(Upstream::ready).collect();
        let any = |pointer: &str| lives.iter().any(|live| live.declares_of_tasks(pointer));
        let mut tasks = Map::new();
        for name in ["list", "cancel"] {
            if any(&format!("/{name}")) {
                tasks.insert(name.to_owned(), json!({}));
            }
        }
        if any("/requests/tools/call") {
            tasks.insert("requests".to_owned(), json!({"tools": {"call": {}}}));
        }
        (!tasks.is_empty()).then_some(Value::Object(tasks))
    }

    /// Begins a request about one task; its answer goes to the client by itself.
    pub(super) async fn ask_about_task(self: &Arc<Self>, message: Message, client: Era) {
        let method = match (&*message.method(), client) {
            ("tasks/get", _) => "tasks/get",
            ("tasks/cancel", _) => "tasks/cancel",
            ("tasks/result", Era::Legacy) => "tasks/result",
            ("tasks/update", Era::Modern) => "tasks/update",
            (method, _) => {
                let text = unknown(method);
                return self.refuse(&message, code::METHOD_NOT_FOUND, &text).await;
            }
        };
        let subject = method.to_owned();
        self.relay(
            message,
            client,
            subject,
            move |router, request| async move { router.about_task(&request, method).await },
        )
        .await;
    }

    async fn about_task(&self, request: &Relayed, method: &'static str) -> Line {
        let (client, message) = (request.client, &request.message);
        let id = match only(message, "taskId") {
            Ok(id) => id,
            Err(_) if self.with_tasks(client).await.is_empty() => {
                return request.refused(code::METHOD_NOT_FOUND, &unknown(method));
            }
            Err(reason) => return request.refused(code::INVALID_PARAMS, &reason),
        };
        let quoted = message.param("taskId").map(|id| id.value());
        let target = Target::task(method, &id, quoted.unwrap_or_default());
        match self.owner_of_task(client, &id) {
            Some(upstream) => self.about_task_at(request, &target, upstream).await.0,
            None => self.about_unknown_task(request, &target, &id).await,
        }
    }

    /// Asks everyone who has tasks, in the order of the configuration, until one knows this one. To the
    /// others the request does nothing.
    async fn about_unknown_task(&self, request: &Relayed, target: &Target<'_>, id: &str) -> Line {
        let mut candidates = self.with_tasks(request.client).await;
        if candidates.is_empty() {
            return request.refused(code::METHOD_NOT_FOUND, &unknown(&target.method));
        }
        if target.method == "tasks/update" && candidates.len() > 1 {
            // It may answer the questions of a task of the same id elsewhere.
            candidates.clear();
        }
        let mut refused = Map::new();
        for upstream in &candidates {
            let (line, gone, error) = match self.about_task_at(request, target, upstream).await {
                (line, Told::Result) => {
                    self.owned.learn(request.client, id, upstream.index());
                    return line;
                }
                (line, Told::Error(error)) => (line, false, error),
                (line, Told::Nothing) => (line, true, Value::Null),
            };
            // Who was not heard may be the one. And where there is but one, it says best what is wrong.
            if gone || candidates.len() == 1 {
                return line;
            }
            refused.insert(upstream.config().name.to_string(), error);
        }
        let text = format!("no server takes `{}` for the task `{id}`", target.method);
        let data = json!({"refused": refused});
        Line::error(&request.id, code::INVALID_PARAMS, &text, &data)
    }

    async fn about_task_at(
        &self,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> (Line, Told) {
        let answer = self.ask(request, target, upstream).await;
        let answer = answer.and_then(|answer| answer.response(target, upstream));
        let told = match &answer {
            Err(_) => Told::Nothing,
            Ok(response) => match response.error() {
                Some(error) => Told::Error(serde_json::from_slice(error).unwrap_or_default()),
                None => Told::Result,
            },
        };
        (request.answered(upstream, answer), told)
    }

    /// Answers `tasks/list`: the tasks of all upstreams that list theirs, on one page.
    pub(super) async fn list_tasks(self: &Arc<Self>, request: Message, client: Era) {
        if client == Era::Modern {
            let text = unknown("tasks/list");
            return self.refuse(&request, code::METHOD_NOT_FOUND, &text).await;
        }
        if self.refuse_cursor(&request).await {
            return;
        }
        self.relay(
            request,
            client,
            "tasks".to_owned(),
            |router, request| async move {
                match router.read_tasks().await {
                    Some(tasks) => Line::result(&request.id, tasks),
                    None => request.refused(code::METHOD_NOT_FOUND, &unknown("tasks/list")),
                }
            },
        )
        .await;
    }

    /// The result of `tasks/list`; `None` where nobody lists any.
    async fn read_tasks(&self) -> Option<Vec<u8>> {
        self.heard().await;
        let lists = |live: Arc<Live>| live.declares_of_tasks("/list");
        let listing = self
            .upstreams
            .iter()
            .filter(|u| u.ready().is_some_and(lists));
        let all = listing.map(|upstream| async move {
            let late = TransportError::Timeout(LIST_TIMEOUT);
            let tasks = match timeout(LIST_TIMEOUT, upstream.tasks()).await {
                Ok(tasks) => tasks,
                Err(_) => Err(upstream.error("tasks/list", late)),
            };
            let tasks = tasks
                .inspect_err(|error| warn!(error = %error, "leaving out a listing"))
                .unwrap_or_default();
            (upstream.index(), tasks)
        });
        let all = join_all(all).await;
        if all.is_empty() {
            return None;
        }
        let mut out = br#"{"tasks":["#.to_vec();
        let mut first = true;
        for (upstream, task) in all
            .iter()
            .flat_map(|(u, tasks)| tasks.iter().map(|t| (*u, t)))
        {
            if let Some(task) = Task::read(task) {
                if self.owned.is_followed(upstream, &task.id) {
                    continue;
                }
                self.owned.learn(Era::Legacy, &task.id, upstream);
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(task);
        }
        out.extend_from_slice(b"]}");
        Some(out)
    }

    /// Whose task it is, if that one's era is still the client's.
    fn owner_of_task(&self, client: Era, id: &str) -> Option<&Upstream> {
        let upstream = self.upstreams.get(self.owned.get(client, id)?)?;
        let live = upstream.ready();
        live.is_none_or(|live| live.era == client)
            .then_some(upstream)
    }

    /// The upstreams that have tasks of the client's era.
    async fn with_tasks(&self, client: Era) -> Vec<&Upstream> {
        self.heard().await;
        let has_tasks = |upstream: &&Upstream| {
            let live = upstream.ready();
            live.is_some_and(|live| live.era == client && live.has_tasks())
        };
        self.upstreams.iter().filter(has_tasks).collect()
    }

    /// Whether the upstream wants tasks of a client that has not declared them: the call did not run.
    pub(super) fn lacks_tasks(call: &Relayed, response: &Message) -> bool {
        let is_known = || call.client == Era::Modern && extension::is_declared(&call.message);
        extension::is_required(response) && !is_known()
    }

    /// Notes whose a task is when a call has created one. Answers are looked into only where one can be.
    pub(super) fn learn_task(&self, call: &Relayed, upstream: &Upstream, response: &Message) {
        let can_be = match call.client {
            Era::Legacy => call.message.param("task").is_some(),
            Era::Modern => extension::is_declared(&call.message),
        };
        if can_be && let Some(task) = Task::created(response, call.client) {
            debug!(task = &*task.id, "a task was created");
            self.owned.learn(call.client, &task.id, upstream.index());
        }
    }

    /// Whether the client is not to hear this notification: of a task that it does not know,
    /// or that is not of its era.
    pub(super) fn hides(&self, notification: &Message, upstream: usize, client: Era) -> bool {
        match (&*notification.method(), client) {
            ("notifications/tasks/status", Era::Legacy) => {
                let id = notification.param("taskId");
                let id = id.and_then(|id| decode(id.value()).map(std::borrow::Cow::into_owned));
                id.is_some_and(|id| {
                    self.owned.is_followed(upstream, &id)
                        || (self.errands.is_creating()
                            && self.owned.get(Era::Legacy, &id) != Some(upstream))
                })
            }
            ("notifications/tasks/status", Era::Modern) | ("notifications/tasks", Era::Legacy) => {
                true
            }
            _ => false,
        }
    }
}

impl Relayed {
    /// Who follows the task that may come of this call: a modern client knows none of those that are
    /// asked for by `task`, and a legacy one that does not ask for one expects the result.
    pub(super) fn as_task(&self, is_required: bool) -> AsTask {
        let is_asked_for = self.message.param("task").is_some();
        match (self.client, is_asked_for) {
            (Era::Legacy, true) => AsTask::Theirs,
            (Era::Legacy, false) if !is_required => AsTask::Theirs,
            (Era::Modern, false) if !is_required => AsTask::Theirs,
            _ => AsTask::Added,
        }
    }
}

/// What an upstream said to a request about a task.
enum Told {
    Result,
    Error(Value),
    Nothing,
}
