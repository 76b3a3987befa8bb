//! Requests about one task, routed to the task's upstream.

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

/// An upstream's answer to a request about a task.
enum Answer {
    Result,
    Error(Value),
    Failed,
}

/// Begins a request about one task. The request's task sends the response.
pub(crate) async fn serve_task_request(
    ctx: &Context,
    message: Message,
    method: &'static str,
    client: Era,
) {
    let subject = method.to_owned();
    let answer = move |ctx, request| async move { answer(&ctx, &request, method).await };
    begin_request(ctx, message, client, subject, answer).await;
}

async fn answer(ctx: &Context, request: &ClientRequest, method: &'static str) -> Line {
    let (client, message) = (request.caller.era, &request.message);
    let id = match single_string(message.params_named("taskId"), "taskId", "the parameters") {
        Ok(id) => id,
        Err(_) if upstreams_with_tasks(ctx, client).await.is_empty() => {
            return request.refusal_line(code::METHOD_NOT_FOUND, &unknown_method_text(method));
        }
        Err(reason) => return request.refusal_line(code::INVALID_PARAMS, &reason),
    };
    let quoted = message.param("taskId").map(|id| id.value());
    let target = Target::task_request(method, &id, quoted.unwrap_or_default());
    match owner_of_task(ctx, client, &id) {
        Some(Ok(upstream)) => {
            forward_task_request(ctx, request, &target, &upstream)
                .await
                .0
        }
        Some(Err(upstream)) => request.failure_line(&UpstreamError {
            upstream,
            method: method.to_owned(),
            cause: TransportError::NotConfigured,
        }),
        None => find_owner_by_request(ctx, request, &target, &id).await,
    }
}

/// Sends the request to every upstream with tasks, in the order of the configuration, until one returns a result.
/// The request has no effect at an upstream without the task.
async fn find_owner_by_request(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    id: &str,
) -> Line {
    let mut candidates = upstreams_with_tasks(ctx, request.caller.era).await;
    let all = ctx.gateway.upstreams.all();
    let disconnected = all
        .iter()
        .filter(|upstream| upstream.connection().is_none());
    let disconnected: Vec<_> = disconnected
        .map(|disconnected| format!("`{}`", disconnected.config().name))
        .collect();
    let has_tasks = !candidates.is_empty();
    let is_only = candidates.len() == 1 && disconnected.is_empty();
    // The update could answer input requests of another task with the same id.
    let is_ambiguous = target.method == "tasks/update" && !is_only;
    // With several clients, an unknown task may be another client's.
    if is_ambiguous || ctx.gateway.is_shared() {
        candidates.clear();
    }
    let mut refused = Map::new();
    for upstream in &candidates {
        let (line, is_unanswered, error) =
            match forward_task_request(ctx, request, target, upstream).await {
                (line, Answer::Result) => {
                    let owners = &ctx.session.task_owners;
                    owners.record(request.caller.era, id, upstream.id());
                    return line;
                }
                (line, Answer::Error(error)) => (line, false, error),
                (line, Answer::Failed) => (line, true, Value::Null),
            };
        // An upstream that did not answer may have the task. A single upstream's answer is the best error.
        if is_unanswered || is_only {
            return line;
        }
        refused.insert(upstream.config().name.to_string(), error);
    }
    if !disconnected.is_empty() {
        // A task outlives connections, so a disconnected upstream may have it.
        let disconnected = disconnected.join(", ");
        let text = format!(
            "no connected server has the task `{id}`; these servers are not connected: {disconnected}"
        );
        return request.refusal_line(UNAVAILABLE, &text);
    }
    if !has_tasks {
        return request.refusal_line(code::METHOD_NOT_FOUND, &unknown_method_text(&target.method));
    }
    let text = format!("no server accepts `{}` for the task `{id}`", target.method);
    let data = json!({"refused": refused});
    Line::error(&request.id, code::INVALID_PARAMS, &text, &data)
}

async fn forward_task_request(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> (Line, Answer) {
    let outcome = forward(ctx, request, target, upstream).await;
    let response = outcome.and_then(|outcome| outcome.into_response(target, upstream));
    let answer = match &response {
        Err(_) => Answer::Failed,
        Ok(response) => match response.error() {
            Some(error) => Answer::Error(serde_json::from_slice(error).unwrap_or_default()),
            None => Answer::Result,
        },
    };
    (request.response_line(upstream, response), answer)
}

/// Returns the upstream of the task, if its era is still the client's. Returns the upstream's name as an error if it
/// is no longer configured.
fn owner_of_task(ctx: &Context, client: Era, id: &str) -> Option<Result<Upstream, UpstreamName>> {
    let owner = ctx.session.task_owners.get(client, id)?;
    let upstream = match ctx.gateway.upstreams.find_by_id_or_name(owner) {
        Ok(upstream) => upstream,
        Err(removed) => return removed.map(Err),
    };
    let connection = upstream.connection();
    connection
        .is_none_or(|connection| connection.server_profile.era == client)
        .then_some(Ok(upstream))
}

/// Returns the upstreams of the client's era that support tasks.
async fn upstreams_with_tasks(ctx: &Context, client: Era) -> Vec<Upstream> {
    ctx.gateway.wait_for_initial_listing().await;
    let has_tasks = |upstream: &&Upstream| {
        let connection = upstream.connection();
        connection.is_some_and(|connection| {
            connection.server_profile.era == client && connection.server_profile.supports_tasks()
        })
    };
    let all = ctx.gateway.upstreams.all();
    all.iter().filter(has_tasks).cloned().collect()
}
