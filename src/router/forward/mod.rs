//! Forwards one request of the client: to one upstream under an id of ours, and back under the client's.
//!
//! An [attempt](attempt::attempt) decides what comes of the request, and the driver here acts on it: it
//! suspends a call, resumes one, or makes another attempt.

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

/// Answers a request in a task of its own: with the line that `answer` returns, unless the client
/// cancels.
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
        // Boxed before it is handed on, and `answer` called inside: what it makes is
        // kilobytes, and each hand would copy them.
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
            "this id belongs to a request that is still running; use a new one".to_owned(),
        ),
        Err(Refusal::TooMany) => (
            upstream::code::BUSY,
            format!(
                "{} requests are under way; wait for some of them, or raise PROXY_MAX_CALLS",
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
    // The request ends before its answer is queued: nothing of it can come after.
    if ctx.session.in_flight.finish(ended_key) {
        permit.send(line);
    }
}

/// Forwards a request and waits for its answer. It is sent a second time only if the connection
/// broke under a request that may be repeated, before the client received anything of it.
///
/// # Errors
/// [`UpstreamError`], if there is no answer that the client can take.
pub(crate) async fn forward(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> Result<Outcome, UpstreamError> {
    // Boxed here and below: what is large and hardly ever needed, as every call's task would be
    // as large.
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
            // The first attempt may have run, whatever kept the second one from it.
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

/// Does what an attempt has decided.
fn apply_step(ctx: &Context, request: &ClientRequest, upstream: &Upstream, step: Step) -> Outcome {
    match step {
        Step::Done(response) => Outcome::Response(response),
        Step::Suspend(call) => Outcome::Response(suspend(ctx, request, upstream, *call)),
        Step::FollowTask(task, era) => Outcome::TaskCreated(task, era),
        Step::StaleToolSchema => Outcome::StaleToolSchema,
    }
}

/// Answers a request that is not to be sent as it is: it resumes a suspended call, or no legacy upstream
/// would judge it. `None` if it is to be sent.
async fn preflight(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> Option<Result<Outcome, UpstreamError>> {
    if let Some(refusal) = refuse_unknown_level(request, upstream).await {
        return Some(Ok(Outcome::Response(refusal)));
    }
    // The handle of another client, or of an upstream, is not judged here.
    let handle = request.suspension_handle();
    let suspended = handle.and_then(|handle| {
        let holder = ctx.session.suspended_calls.upstream_of(&handle)?;
        Some((holder, handle))
    });
    if let Some((holder, handle)) = suspended {
        // By name: the configuration of its upstream may have changed meanwhile.
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
