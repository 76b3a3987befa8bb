//! The tasks that a client knows (MCP 2025-11-25 § Tasks; extension `io.modelcontextprotocol/tasks`, SEP-2663).
//!
//! A task belongs to one upstream and its era. A client's requests about its tasks go to their owners, and task
//! listings are merged. If a tool requires a task and the client does not know tasks, the proxy follows the task.
//! The client then receives no notification about it.

use std::borrow::Cow;

use tracing::debug;

use crate::protocol::Era;
use crate::protocol::task::Task;
use crate::protocol::tasks_extension;
use crate::router::call::request::ClientRequest;
use crate::router::client::ClientSession;
use crate::router::context::Context;
use crate::upstream::{Upstream, UpstreamId};
use crate::wire::Message;
use crate::wire::splice::decode;

/// Returns `true` if the upstream rejected the call because the client has not declared tasks. The call has not
/// run.
pub(crate) fn requires_tasks(call: &ClientRequest, response: &Message) -> bool {
    let is_declared =
        || call.caller.era == Era::Modern && tasks_extension::is_declared(&call.message);
    tasks_extension::is_required(response) && !is_declared()
}

/// Records the owner of a task that a call has created. Parses the response only if the call can create a task.
pub(crate) fn record_created_task(
    session: &ClientSession,
    call: &ClientRequest,
    upstream: &Upstream,
    response: &Message,
) {
    let era = call.caller.era;
    let can_be = match era {
        Era::Legacy => call.message.param("task").is_some(),
        Era::Modern => tasks_extension::is_declared(&call.message),
    };
    if can_be && let Some(task) = Task::created(response, era) {
        debug!(task = &*task.id, "a task was created");
        session.task_owners.record(era, &task.id, upstream.id());
    }
}

/// Returns `true` if a notification outside of requests must not reach the client. With several clients, each
/// receives only the status of its own tasks.
pub(crate) fn is_hidden_outside_requests(
    ctx: &Context,
    notification: &Message,
    upstream: UpstreamId,
) -> bool {
    let session = &ctx.session;
    let is_foreign = || {
        let id = notification.param("taskId");
        let id = id.and_then(|id| decode(id.value()).map(Cow::into_owned));
        id.is_some_and(|id| session.task_owners.get(Era::Legacy, &id) != Some(upstream))
    };
    is_hidden(session, notification, upstream, Era::Legacy)
        || ctx.gateway.is_shared()
            && notification.method() == "notifications/tasks/status"
            && is_foreign()
}

/// Returns `true` if a notification must not reach the client. Such a notification is about a task of the
/// proxy, or of another era.
pub(crate) fn is_hidden(
    session: &ClientSession,
    notification: &Message,
    upstream: UpstreamId,
    client: Era,
) -> bool {
    match (&*notification.method(), client) {
        ("notifications/tasks/status", Era::Legacy) => {
            let id = notification.param("taskId");
            let id = id.and_then(|id| decode(id.value()).map(Cow::into_owned));
            id.is_some_and(|id| {
                session.task_owners.is_proxied(upstream, &id)
                    || (session.proxied_tasks.is_creating()
                        && session.task_owners.get(Era::Legacy, &id) != Some(upstream))
            })
        }
        ("notifications/tasks/status", Era::Modern) | ("notifications/tasks", Era::Legacy) => true,
        _ => false,
    }
}
