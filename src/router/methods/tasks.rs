//! Requests about one task, at the upstream that has it.

use serde_json::{Map, Value, json};

use crate::config::UpstreamName;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::params::single_string;
use crate::protocol::reply::unknown_method_text;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::{begin_request, forward};
use crate::upstream::code::UNAVAILABLE;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// How an upstream answered a request about a task.
enum Answer {
    Result,
    Error(Value),
    None,
}

/// Begins a request about one task; its answer goes to the client by itself.
pub(crate) async fn about_task(ctx: &Context, message: Message, method: &'static str, client: Era) {
    let subject = method.to_owned();
    let answer = move |ctx, request| async move { answer(&ctx, &request, method).await };
    begin_request(ctx, message, client, subject, answer).await;
}

async fn answer(ctx: &Context, request: &ClientRequest, method: &'static str) -> Line {
    let (client, message) = (request.caller.era, &request.message);
    let id = match single_string(message.params_named("taskId"), "taskId", "the parameters") {
        Ok(id) => id,
        Err(_) if with_tasks(ctx, client).await.is_empty() => {
            return request.refused(code::METHOD_NOT_FOUND, &unknown_method_text(method));
        }
        Err(reason) => return request.refused(code::INVALID_PARAMS, &reason),
    };
    let quoted = message.param("taskId").map(|id| id.value());
    let target = Target::task_request(method, &id, quoted.unwrap_or_default());
    match owner_of_task(ctx, client, &id) {
        Some(Ok(upstream)) => about_task_at(ctx, request, &target, &upstream).await.0,
        Some(Err(upstream)) => request.failed(&UpstreamError {
            upstream,
            method: method.to_owned(),
            cause: TransportError::NotConfigured,
        }),
        None => about_unknown_task(ctx, request, &target, &id).await,
    }
}

/// Asks every upstream with tasks, in the order of the configuration, until one knows this one. The request
/// does nothing at the others.
async fn about_unknown_task(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    id: &str,
) -> Line {
    let mut candidates = with_tasks(ctx, request.caller.era).await;
    let all = ctx.gateway.upstreams.all();
    let away = all
        .iter()
        .filter(|upstream| upstream.connection().is_none());
    let away: Vec<_> = away
        .map(|away| format!("`{}`", away.config().name))
        .collect();
    let has_tasks = !candidates.is_empty();
    let is_only = candidates.len() == 1 && away.is_empty();
    // It may answer the questions of a task of the same id elsewhere.
    let is_ambiguous = target.method == "tasks/update" && !is_only;
    // What is unknown may be another client's.
    if is_ambiguous || ctx.gateway.is_shared() {
        candidates.clear();
    }
    let mut refused = Map::new();
    for upstream in &candidates {
        let (line, gone, error) = match about_task_at(ctx, request, target, upstream).await {
            (line, Answer::Result) => {
                let owners = &ctx.session.task_owners;
                owners.learn(request.caller.era, id, upstream.id());
                return line;
            }
            (line, Answer::Error(error)) => (line, false, error),
            (line, Answer::None) => (line, true, Value::Null),
        };
        // An upstream that did not answer may have the task. And if there is but one, its answer says best
        // what is wrong.
        if gone || is_only {
            return line;
        }
        refused.insert(upstream.config().name.to_string(), error);
    }
    if !away.is_empty() {
        // A task outlives connections: one of these may have it.
        let away = away.join(", ");
        let text = format!("nobody knows the task `{id}`; these servers are not connected: {away}");
        return request.refused(UNAVAILABLE, &text);
    }
    if !has_tasks {
        return request.refused(code::METHOD_NOT_FOUND, &unknown_method_text(&target.method));
    }
    let text = format!("no server takes `{}` for the task `{id}`", target.method);
    let data = json!({"refused": refused});
    Line::error(&request.id, code::INVALID_PARAMS, &text, &data)
}

async fn about_task_at(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> (Line, Answer) {
    let outcome = forward(ctx, request, target, upstream).await;
    let answer = outcome.and_then(|outcome| outcome.response(target, upstream));
    let kind = match &answer {
        Err(_) => Answer::None,
        Ok(response) => match response.error() {
            Some(error) => Answer::Error(serde_json::from_slice(error).unwrap_or_default()),
            None => Answer::Result,
        },
    };
    (request.answered(upstream, answer), kind)
}

/// Returns the upstream that has the task, if its era is still the client's; or the name of an upstream that
/// is no longer configured.
fn owner_of_task(ctx: &Context, client: Era, id: &str) -> Option<Result<Upstream, UpstreamName>> {
    let owner = ctx.session.task_owners.get(client, id)?;
    let upstream = match ctx.gateway.upstreams.find_by_id_or_name(owner) {
        Ok(upstream) => upstream,
        Err(gone) => return gone.map(Err),
    };
    let connection = upstream.connection();
    connection
        .is_none_or(|connection| connection.profile.era == client)
        .then_some(Ok(upstream))
}

/// Returns the upstreams that have tasks of the client's era.
async fn with_tasks(ctx: &Context, client: Era) -> Vec<Upstream> {
    ctx.gateway.wait_for_initial_listing().await;
    let has_tasks = |upstream: &&Upstream| {
        let connection = upstream.connection();
        connection.is_some_and(|connection| {
            connection.profile.era == client && connection.profile.supports_tasks()
        })
    };
    let all = ctx.gateway.upstreams.all();
    all.iter().filter(has_tasks).cloned().collect()
}
