//! One attempt to forward a request: sends it, follows it to its response, and decides the next step. Server
//! requests during the attempt reach the client in the form of its era.

use bytes::Bytes;
use tracing::debug;

use super::follow::follow;
use super::multi_round_trip::MultiRoundTrip;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::bridge::{self, input};
use crate::router::call::outcome::{AttemptFailed, Step};
use crate::router::call::request::ClientRequest;
use crate::router::call::suspended::SuspendedCall;
use crate::router::call::upstream_call::{CallEvent, UpstreamCall};
use crate::router::context::Context;
use crate::upstream::{Activity, Connection, ConnectionUse, TransportError, Upstream, next_id};

/// Sends the request and follows it to its response.
///
/// # Errors
/// [`AttemptFailed`], if there is no valid response.
pub(crate) async fn attempt(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> Result<Step, AttemptFailed> {
    let mut rounds = MultiRoundTrip::default();
    loop {
        let input = rounds.input();
        // After a round the request is not retried: the client has already answered input requests.
        let failed = |failed: AttemptFailed| AttemptFailed {
            client_notified: failed.client_notified || rounds.has_begun(),
            ..failed
        };
        let call = send(ctx, request, target, upstream, input).await;
        let mut call = call.map_err(failed)?;
        let event = follow(ctx, request, target, upstream, &mut call).await;
        let response = match event.map_err(failed)? {
            CallEvent::Response(response) => response,
            CallEvent::ServerRequest(server_request) => {
                let suspended = SuspendedCall::new(request, call, &server_request);
                return Ok(Step::Suspend(Box::new(suspended)));
            }
        };
        let is_legacy_to_modern =
            (request.caller.era, call.connection.server_profile.era) == (Era::Legacy, Era::Modern);
        let requires_input = is_legacy_to_modern
            && input::supports_input(&target.method)
            && input::requires_input(&response);
        if !requires_input {
            return Step::from_response(request, target, upstream, &call, response);
        }
        // Each round is an exchange of its own, with a new id.
        drop(call);
        // Boxed: large and rarely needed.
        let refusal = Box::pin(rounds.get_input(ctx, request, &response)).await;
        let refusal = refusal.map_err(|reason| AttemptFailed {
            error: upstream.error(&target.method, TransportError::Malformed(reason)),
            client_notified: true,
        })?;
        if let Some(refusal) = refusal {
            return Ok(Step::Done(refusal));
        }
    }
}

async fn send(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
    input: Option<&str>,
) -> Result<UpstreamCall, AttemptFailed> {
    let caller = &request.caller;
    let (method, client) = (&target.method, (ctx.session.id, &caller.profile));
    let in_flight = &ctx.session.in_flight;
    let level = request.request_log_level();
    let buffer = ctx.session.outbox.send_buffer();
    if let Some(level) = level {
        in_flight.record_log_level(&request.key, level);
    }
    let build = |connection: &ConnectionUse, activity: &Activity| {
        let id = next_id();
        let token = renamed_token(ctx, request, connection, id);
        let renamed = token.as_ref().and_then(|token| {
            if let Some(client_token) = &request.progress_token {
                let token = token.clone().into();
                in_flight.record_renamed_token(&request.key, &token, client_token);
            }
            bridge::with_progress_token(&request.message, token)
        });
        let message = renamed.as_ref().unwrap_or(&request.message);
        let built = bridge::request(
            id,
            message,
            target,
            caller,
            &connection.server_profile,
            input,
        );
        debug!(
            upstream = %upstream.config().name,
            serial = built.id,
            bytes = built.body.len(),
            "forwarding"
        );
        in_flight.record_sent(&request.key, connection, built.id);
        if request.progress_token.is_some() {
            in_flight.attach_activity(&request.key, activity);
        }
        built
    };
    let sent = upstream.call(method, client, level, Some(buffer), build);
    let sent = sent.await.map_err(|error| AttemptFailed {
        error,
        client_notified: false,
    })?;
    let (connection, id) = (&sent.sent.connection, sent.sent.exchange.id());
    let token = renamed_token(ctx, request, connection, id);
    let token = token
        .map(Bytes::from)
        .or_else(|| request.progress_token.clone());
    Ok(UpstreamCall::new(upstream, token, sent))
}

/// Returns the progress token of a request at its upstream, if that differs from the client's. Clients that
/// share a legacy session may use the same token. The progress for this token may come on no stream of the
/// call.
fn renamed_token(
    ctx: &Context,
    request: &ClientRequest,
    connection: &Connection,
    upstream_id: u64,
) -> Option<String> {
    let number = ctx.session.number;
    let is_shared = !number.is_first() && connection.server_profile.era == Era::Legacy;
    let has_token = is_shared && request.progress_token.is_some();
    has_token.then(|| number.wire_id(upstream_id))
}
