//! Tasks: calls whose result comes later, and is asked for (MCP 2025-11-25 § Tasks; the extension
//! `io.modelcontextprotocol/tasks`, SEP-2663). One lives at one upstream and in that one's era.
//!
//! What a client asks about its tasks goes to their owners, and their listings are merged. A tool that
//! runs as a task alone serves a client that knows none as well: the task is followed for it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tracing::debug;

use crate::protocol::Era;
use crate::protocol::ServerProfile;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::{Upstream, UpstreamId};
use crate::wire::Message;
use crate::wire::splice::decode;

use crate::protocol::task::{AsTask, Task};
use crate::protocol::tasks_extension;

impl Router {
    /// The `tasks` capability of the upstreams, merged: what a client of
    /// 2025-11-25 can ask of them (§ Tasks, Capabilities). `None` where none has any.
    #[must_use]
    pub fn tasks_capability(&self) -> Option<Value> {
        let all = self.known();
        // While some are not known yet, they may have all of it.
        let any = |pointer: &str| {
            let declares = |it: &Arc<ServerProfile>| it.declares_of_tasks(pointer);
            all.as_ref().is_none_or(|all| all.iter().any(declares))
        };
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

    /// Whether the upstream wants tasks of a client that has not declared them: the call did not run.
    pub(crate) fn lacks_tasks(call: &Relayed, response: &Message) -> bool {
        let is_known =
            || call.speaker.era == Era::Modern && tasks_extension::is_declared(&call.message);
        tasks_extension::is_required(response) && !is_known()
    }

    /// Notes whose a task is when a call has created one. Answers are looked into only where one can be.
    pub(crate) fn learn_task(&self, call: &Relayed, upstream: &Upstream, response: &Message) {
        let can_be = match call.speaker.era {
            Era::Legacy => call.message.param("task").is_some(),
            Era::Modern => tasks_extension::is_declared(&call.message),
        };
        if can_be && let Some(task) = Task::created(response, call.speaker.era) {
            debug!(task = &*task.id, "a task was created");
            self.owned.learn(call.speaker.era, &task.id, upstream.id());
        }
    }

    /// Whether the client is not to hear this notification: of a task that it does not know,
    /// or that is not of its era.
    pub(crate) fn hides(&self, notification: &Message, upstream: UpstreamId, client: Era) -> bool {
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
    pub(crate) fn as_task(&self, is_required: bool) -> AsTask {
        let is_asked_for = self.message.param("task").is_some();
        match (self.speaker.era, is_asked_for) {
            (Era::Legacy, true) => AsTask::Theirs,
            (_, false) if !is_required => AsTask::Theirs,
            _ => AsTask::Added,
        }
    }
}
