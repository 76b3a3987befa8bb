//! Calls of modern clients that a legacy upstream has interrupted by a request. The client gets a result
//! that requires input (MCP 2026-07-28 § Multi Round-Trip Requests); the call is suspended under a handle
//! until the client comes back with that handle and its answers.
//!
//! The upstream's part of a suspended call ends if the client does not come back in time.

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

/// What a resumed call has come to.
pub(crate) enum Resumed {
    /// The upstream has responded, or asks something else.
    Step(Step),
    /// The upstream had refused the call, which can be sent again now.
    SendAgain,
}

/// Suspends a call, and returns the response that puts its questions to the client.
pub(crate) fn suspend(
    ctx: &Context,
    request: &ClientRequest,
    upstream: &Upstream,
    mut call: SuspendedCall,
) -> Message {
    call.release_permit();
    // Random enough that the handle of another's call cannot be guessed.
    let handle = format!("{HANDLE_PREFIX}{}", random_id());
    let result = call.input_required_result(&handle);
    let spawn_keeper = |call: SuspendedCall| {
        debug!(
            subject = request.subject,
            "parked until the client comes back"
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
                "too many calls wait for the client's input; answer these first, \
                 or raise PROXY_PARKED_CALLS",
            )
        }
    }
}

/// Resumes a suspended call with the answers that the client has brought.
///
/// # Errors
/// [`AttemptFailed`], if the call is lost.
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
    // However it is lost: the call has begun.
    let call_lost = |cause: TransportError| AttemptFailed {
        error: upstream.error(&target.method, cause.with_unknown_outcome()),
        client_notified: true,
    };
    if let Some(call) = &mut suspended.call {
        let (pool, level) = (upstream.pool(), request.request_log_level());
        call.log_demand = pool.raise_level(&call.connection, level).await;
    }
    // The task that it follows goes with it again, should the client cancel.
    let session = &ctx.session;
    let task_guard = suspended.proxied_task.map(|task| {
        session.in_flight.delegate_cancellation(&request.key);
        session.proxied_tasks.resume(task, &ctx.gateway.tasks)
    });
    deliver_answers(ctx, request, &mut suspended)
        .await
        .map_err(call_lost)?;
    // With a call that has ended, nothing waits for its answers any more.
    let is_over = suspended.call.is_some() && suspended.outcome.is_some();
    if !suspended.input_requests.is_empty() && !is_over {
        task_guard.map(ProxiedTaskGuard::suspend);
        suspended.stop_logs();
        return Ok(Resumed::Step(Step::Suspend(Box::new(suspended))));
    }
    let Some(mut call) = suspended.call else {
        // What the upstream refused can be done now, unless the person has declined.
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

/// Sends the upstream the answers that it waits for.
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
    // From here on a cancellation of the request is one of the call.
    if let Some((connection, upstream_id)) = &entry.sent {
        let in_flight = &ctx.session.in_flight;
        in_flight.record_sent(&request.key, connection, *upstream_id);
    }
    entry.claim.cancel();
    entry.keeper.await.ok().flatten()
}

/// Refuses a request with an unknown `requestState` at a legacy upstream: it would take the request for a
/// new call.
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
    (connection.profile.era == Era::Legacy).then(unknown_state)
}
