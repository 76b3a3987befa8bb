//! Suspends and resumes calls of modern clients in which a legacy upstream has sent a server request.
//!
//! The client receives a result that requires input (MCP 2026-07-28 § Multi Round-Trip Requests). The call is
//! suspended under a handle, and resumed by a request with that handle and the answers. A call that is not resumed
//! in time is ended at its upstream.

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::follow::follow;
use super::server_requests::deliver_answer;
use super::suspended_keeper;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::reply::{error_response, success_response};
use crate::random::random_id;
use crate::router::call::outcome::{AttemptFailed, Step};
use crate::router::call::request::{ClientRequest, HANDLE_PREFIX};
use crate::router::call::suspended::{RequestFingerprint, SuspendedCall};
use crate::router::call::upstream_call::CallEvent;
use crate::router::client::proxied_tasks::ProxiedTaskGuard;
use crate::router::client::suspended_calls::{SuspendedEntry, unknown_state};
use crate::router::context::Context;
use crate::upstream::{TransportError, Upstream};
use crate::wire::Message;
use crate::wire::outgoing::code;

/// The outcome of resuming a call.
pub(crate) enum Resumed {
    /// The next step: the upstream has responded, or has sent another server request.
    Step(Step),
    /// The upstream had rejected the call, which can now be sent again.
    SendAgain,
}

/// Suspends a call, and returns the response with its input requests.
pub(crate) fn suspend(
    ctx: &Context,
    request: &ClientRequest,
    upstream: &Upstream,
    mut call: SuspendedCall,
) -> Message {
    call.release_permit();
    // Random, so that another client's handle cannot be guessed.
    let handle = format!("{HANDLE_PREFIX}{}", random_id());
    let result = call.input_required_result(&handle);
    let spawn_keeper = |call: SuspendedCall| {
        debug!(
            subject = request.subject,
            "suspended until the client sends its input"
        );
        let claim = CancellationToken::new();
        let (fingerprint, sent) = (call.fingerprint.clone(), call.sent());
        let keeper =
            suspended_keeper::keep_suspended(ctx.clone(), handle.clone(), call, claim.clone());
        SuspendedEntry {
            upstream: upstream.clone(),
            fingerprint,
            claim,
            keeper: ctx.gateway.tasks.spawn(keeper),
            sent,
        }
    };
    match ctx
        .session
        .suspended_calls
        .insert(&handle, call, spawn_keeper)
    {
        Ok(()) => success_response(&result),
        Err(call) => {
            let abandoned = suspended_keeper::abandon(ctx.clone(), *call);
            ctx.gateway.tasks.spawn(abandoned);
            error_response(
                code::INTERNAL_ERROR,
                "too many calls wait for the client's input; answer some of them, \
                 or raise PROXY_PARKED_CALLS",
            )
        }
    }
}

/// Resumes a suspended call with the client's answers.
///
/// # Errors
/// [`AttemptFailed`], if the call has failed.
pub(crate) async fn resume(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
    handle: &str,
) -> Result<Resumed, AttemptFailed> {
    let Some(mut suspended) = take_suspended(ctx, request, handle).await else {
        return Ok(Resumed::Step(Step::Done(unknown_state())));
    };
    // The call has begun, so its outcome is unknown.
    let call_lost = |cause: TransportError| AttemptFailed {
        error: upstream.error(&target.method, cause.with_unknown_outcome()),
        client_notified: true,
    };
    if let Some(call) = &mut suspended.call {
        let (pool, level) = (upstream.pool(), request.request_log_level());
        call.log_demand = pool.raise_level(&call.connection, level).await;
    }
    // From here on a cancellation of this request cancels the followed task.
    let session = &ctx.session;
    let task_guard = suspended.proxied_task.map(|task| {
        session.in_flight.delegate_cancellation(&request.key);
        session.proxied_tasks.resume(task, &ctx.gateway.tasks)
    });
    deliver_answers(ctx, request, &mut suspended)
        .await
        .map_err(call_lost)?;
    // A call that has ended needs no more answers.
    let is_over = suspended.call.is_some() && suspended.outcome.is_some();
    if !suspended.input_requests.is_empty() && !is_over {
        task_guard.map(ProxiedTaskGuard::suspend);
        suspended.stop_logs();
        return Ok(Resumed::Step(Step::Suspend(Box::new(suspended))));
    }
    let Some(mut call) = suspended.call else {
        // Send the rejected call again, unless the user has declined.
        return Ok(match suspended.outcome {
            Some(Ok(refusal)) if suspended.is_declined => Resumed::Step(Step::Done(refusal)),
            _ => Resumed::SendAgain,
        });
    };
    let event = match suspended.outcome {
        Some(Ok(response)) => CallEvent::Response(response),
        Some(Err(cause)) => return Err(call_lost(cause)),
        None => follow(ctx, request, target, upstream, &mut call).await?,
    };
    let step = match event {
        CallEvent::Response(response) => {
            task_guard.into_iter().for_each(ProxiedTaskGuard::finish);
            Step::from_response(request, target, upstream, &call, response)?
        }
        CallEvent::ServerRequest(server_request) => {
            let task = task_guard.map(ProxiedTaskGuard::suspend);
            let suspended = SuspendedCall::new(request, call, &server_request);
            Step::Suspend(Box::new(suspended.with_proxied_task(task)))
        }
    };
    Ok(Resumed::Step(step))
}

/// Sends the client's answers to the upstream.
async fn deliver_answers(
    ctx: &Context,
    request: &ClientRequest,
    suspended: &mut SuspendedCall,
) -> Result<(), TransportError> {
    let responses = suspended.take_answers(&request.message);
    let in_flight = &ctx.session.in_flight;
    if let Some(call) = &suspended.call {
        if let Some((upstream_token, client_token)) = call.renamed_token(request) {
            in_flight.record_renamed_token(&request.key, upstream_token, client_token);
        }
        in_flight.attach_activity(&request.key, &call.activity);
    }
    if let Some((connection, _)) = suspended.sent() {
        for (id, response) in responses {
            deliver_answer(&connection, &id, response).await?;
        }
    }
    Ok(())
}

/// Takes the call that the request resumes from its keeper.
async fn take_suspended(
    ctx: &Context,
    request: &ClientRequest,
    handle: &str,
) -> Option<SuspendedCall> {
    let fingerprint = RequestFingerprint::new(request);
    let entry = ctx.session.suspended_calls.take(handle, &fingerprint)?;
    // From here on a cancellation of this request cancels the call.
    if let Some((connection, upstream_id)) = &entry.sent {
        let in_flight = &ctx.session.in_flight;
        in_flight.record_sent(&request.key, connection, *upstream_id);
    }
    entry.claim.cancel();
    entry.keeper.await.ok().flatten()
}

/// Rejects a request with an unknown `requestState` if the upstream is legacy. A legacy upstream would run the
/// request as a new call.
pub(crate) async fn refuse_foreign_state(
    request: &ClientRequest,
    upstream: &Upstream,
) -> Option<Message> {
    let state = request.message.param("requestState");
    state.filter(|_| request.caller.era == Era::Modern)?;
    let connection = upstream
        .wait_for_connection(&request.message.method())
        .await
        .ok()?;
    (connection.server_profile.era == Era::Legacy).then(unknown_state)
}
