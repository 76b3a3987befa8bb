//! `tasks/list`: the tasks of all upstreams with this method, on one page.

use futures_util::future::join_all;

use super::params::refuse_cursor;
use super::routing::list_with_timeout;
use crate::protocol::Era;
use crate::protocol::reply::unknown_method_text;
use crate::protocol::task::Task;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::upstream::ConnectionUse;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Answers `tasks/list`.
pub(crate) async fn list_tasks(ctx: &Context, request: Message, client: Era) {
    if refuse_cursor(ctx, &request).await {
        return;
    }
    let answer = |ctx: Context, request: ClientRequest| async move {
        match merge_tasks(&ctx).await {
            Some(tasks) => Line::result(&request.id, tasks),
            None => {
                request.refusal_line(code::METHOD_NOT_FOUND, &unknown_method_text("tasks/list"))
            }
        }
    };
    begin_request(ctx, request, client, "tasks".to_owned(), answer).await;
}

/// Returns the merged result of `tasks/list`. `None` if no upstream lists tasks.
async fn merge_tasks(ctx: &Context) -> Option<Vec<u8>> {
    ctx.gateway.wait_for_initial_listing().await;
    let lists_tasks =
        |connection: ConnectionUse| connection.server_profile.declares_task_capability("/list");
    let upstreams = ctx.gateway.upstreams.all();
    let listing = upstreams
        .iter()
        .filter(|u| u.connection().is_some_and(lists_tasks));
    let all = listing.map(|upstream| async move {
        let tasks = list_with_timeout(upstream, "tasks/list", upstream.list_tasks()).await;
        (upstream.id(), tasks.unwrap_or_default())
    });
    let all = join_all(all).await;
    if all.is_empty() {
        return None;
    }
    let mut out = br#"{"tasks":["#.to_vec();
    let (mut first, owners) = (true, &ctx.session.task_owners);
    for (upstream, task) in all
        .iter()
        .flat_map(|(u, tasks)| tasks.iter().map(|t| (*u, t)))
    {
        if let Some(task) = Task::read(task) {
            // With several clients, each sees only its own tasks.
            let is_own = || owners.get(Era::Legacy, &task.id) == Some(upstream);
            if owners.is_proxied(upstream, &task.id) || ctx.gateway.is_shared() && !is_own() {
                continue;
            }
            owners.record(Era::Legacy, &task.id, upstream);
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(task);
    }
    out.extend_from_slice(b"]}");
    Some(out)
}
