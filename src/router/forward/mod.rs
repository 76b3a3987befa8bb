//! Forwards a client's request to one upstream under an id of the proxy. Forwards the response back under the
//! client's id.
//!
//! An [attempt](attempt::attempt) returns the next step. The driver here applies it: it suspends a call, resumes
//! a call, or makes another attempt.

pub(crate) mod attempt;
pub(crate) mod follow;
pub(crate) mod logs;
pub(crate) mod multi_round_trip;
pub(crate) mod notify;
pub(crate) mod proxied_task;
pub(crate) mod server_requests;
pub(crate) mod suspend;
pub(crate) mod suspended_keeper;
pub(crate) mod task_visibility;

use std::time::Instant;

use serde_json::json;
use tracing::{Instrument, debug, debug_span};

use super::call::outcome::{AttemptFailed, Outcome, Step};
use super::call::request::ClientRequest;
use super::client::in_flight::Refusal;
use super::client::suspended_calls::unknown_state;
use super::context::Context;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::json_key::{JsonKey, progress_token};
use crate::upstream::{self, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};
use attempt::attempt;
use logs::refuse_unknown_level;
use suspend::{Resumed, refuse_foreign_state, resume, suspend};

/// Spawns a task that answers the request with the line of `answer`, unless the client cancels the request.
/// Rejects the request if its id is in use or the limit of requests is reached.
pub(crate) async fn begin_request<F>(
    ctx: &Context,
    message: Message,
    client: Era,
    subject: String,
    answer: impl FnOnce(Context, ClientRequest) -> F + Send + 'static,
) where
    F: Future<Output = Line> + Send,
{
    let Some(id) = message.id() else { return };
    let span = debug_span!("request", method = %message.method(), id = %String::from_utf8_lossy(&id), subject);
    let (key, token) = (JsonKey::new(&id), progress_token(&message));
    let session = &ctx.session;
    let request = ClientRequest {
        id: id.clone(),
        subject,
        key: key.clone(),
        progress_token: token.clone(),
        caller: session.profiles.caller_of(&message, client),
        original: None,
        proxied_task: None,
        message,
        started: Instant::now(),
    };
    let (own_ctx, ended_key) = (ctx.clone(), key.clone());
    let begun = session.in_flight.begin(key, token.as_ref(), || {
        // Boxed before it is moved, with `answer` called inside: its future has kilobytes, and each move would
        // copy them.
        let task = Box::pin(async move {
            let line = answer(own_ctx.clone(), request).await;
            finish_request(&own_ctx, &ended_key, line).await;
        });
        let tasks = &ctx.gateway.tasks;
        tasks.spawn(task.instrument(span)).abort_handle()
    });
    let (code, text) = match begun {
        Ok(()) => return,
        Err(Refusal::IdInUse) => (
            code::INVALID_REQUEST,
            "this id belongs to a request in flight; use a new id".to_owned(),
        ),
        Err(Refusal::TooMany) => (
            upstream::code::BUSY,
            format!(
                "{} requests are in flight; wait for some of them, or raise PROXY_MAX_CALLS",
                ctx.gateway.limits.max_calls
            ),
        ),
    };
    let data = json!({"outcome": "not run"});
    ctx.send(Line::error(&id, code, &text, &data)).await;
}

async fn finish_request(ctx: &Context, ended_key: &JsonKey, line: Line) {
    let Some(permit) = ctx.session.outbox.reserve(line.len()).await else {
        return;
    };
    // The request ends before its response is queued, so no notification about it can follow the response.
    if ctx.session.in_flight.finish(ended_key) {
        permit.send(line);
    }
}

/// Forwards a request and waits for its outcome. Retries the request once if all of these hold:
///
/// - the connection was lost after the request was sent;
/// - the request is idempotent;
/// - the client has received no message about the request.
///
/// # Errors
/// [`UpstreamError`], if there is no valid response.
pub(crate) async fn forward(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> Result<Outcome, UpstreamError> {
    // Boxed here and below: large, rarely needed futures would enlarge every call's task.
    if request.needs_preflight()
        && let Some(answer) = Box::pin(preflight(ctx, request, target, upstream)).await
    {
        return answer;
    }
    let step = match attempt(ctx, request, target, upstream).await {
        Err(failed) if may_retry(ctx, request, target, &failed) => {
            let AttemptFailed { error, .. } = failed;
            debug!(error = %error, "sending a repeatable request again");
            let second = Box::pin(attempt(ctx, request, target, upstream)).await;
            // Return the first error: the first attempt may have run, even if the second could not be sent.
            second.map_err(|failed| {
                debug!(error = %failed.error, "the second attempt failed as well");
                error
            })
        }
        other => other.map_err(|failed| failed.error),
    };
    Ok(apply_step(ctx, request, upstream, step?))
}

fn may_retry(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    failed: &AttemptFailed,
) -> bool {
    let had_progress = || {
        let token = request.progress_token.as_ref();
        ctx.session.in_flight.had_progress(token)
    };
    target.idempotent
        && !failed.client_notified
        && !had_progress()
        && failed.error.cause.is_interruption()
}

/// Applies the step that an attempt returned.
fn apply_step(ctx: &Context, request: &ClientRequest, upstream: &Upstream, step: Step) -> Outcome {
    match step {
        Step::Done(response) => Outcome::Response(response),
        Step::Suspend(call) => Outcome::Response(suspend(ctx, request, upstream, *call)),
        Step::FollowTask(task, era) => Outcome::TaskCreated(task, era),
        Step::StaleToolSchema => Outcome::StaleToolSchema,
    }
}

/// Answers a request without sending it. Resumes a suspended call, or rejects a request that a legacy
/// upstream would not reject itself. Returns `None` if the request must be sent.
async fn preflight(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> Option<Result<Outcome, UpstreamError>> {
    if let Some(refusal) = refuse_unknown_level(request, upstream).await {
        return Some(Ok(Outcome::Response(refusal)));
    }
    // A handle that is not in this client's table may be an upstream's own `requestState`.
    let handle = request.suspension_handle();
    let suspended = handle.and_then(|handle| {
        let holder = ctx.session.suspended_calls.upstream_of(&handle)?;
        Some((holder, handle))
    });
    if let Some((holder, handle)) = suspended {
        // Compare names, not ids: the upstream's configuration may have changed since.
        if holder.config().name != upstream.config().name {
            return Some(Ok(Outcome::Response(unknown_state())));
        }
        return Some(resume_or_send(ctx, request, target, &holder, &handle).await);
    }
    let refusal = refuse_foreign_state(request, upstream).await?;
    Some(Ok(Outcome::Response(refusal)))
}

async fn resume_or_send(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    holder: &Upstream,
    handle: &str,
) -> Result<Outcome, UpstreamError> {
    let step = match resume(ctx, request, target, holder, handle).await {
        Ok(Resumed::Step(step)) => Ok(step),
        Ok(Resumed::SendAgain) => Box::pin(attempt(ctx, request, target, holder)).await,
        Err(failed) => Err(failed),
    };
    let step = step.map_err(|failed| failed.error)?;
    Ok(apply_step(ctx, request, holder, step))
}
