//! Follows a call until its response, and handles the notifications and server requests before it.

use bytes::Bytes;
use tracing::debug;

use super::logs::accepts_log;
use super::notify::on_change_in_response_stream;
use super::server_requests::{
    cancel_requests_of_call, decline, forward_server_request, on_cancelled_by_upstream,
    reject_server_request, send_to_upstream,
};
use super::task_visibility::is_hidden;
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::bridge::target::Target;
use crate::protocol::json_key::{JsonKey, is_same_key};
use crate::protocol::reply::cancelled_notification;
use crate::router::call::outcome::AttemptFailed;
use crate::router::call::request::ClientRequest;
use crate::router::call::upstream_call::{CallEvent, UpstreamCall};
use crate::router::client::ClientSession;
use crate::router::context::Context;
use crate::upstream::{TransportError, Upstream};
use crate::wire::{Line, Message, MessageKind};

/// Follows a call until its response, or until a server request that the client can receive only in a result.
pub(crate) async fn follow(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
    call: &mut UpstreamCall,
) -> Result<CallEvent, AttemptFailed> {
    loop {
        let message = match call.next().await {
            Ok(message) => message,
            // No failure while the upstream waits for the client.
            Err(timeout) if timeout.is_timeout() && is_waiting_for_client(ctx, call) => continue,
            Err(cause) => return Err(fail_call(ctx, target, upstream, call, cause)),
        };
        match (message.kind(), request.caller.era) {
            (MessageKind::Response, _) => return Ok(CallEvent::Response(message)),
            (MessageKind::Notification, _)
                if on_change_in_response_stream(ctx, upstream, &call.connection, &message)
                    .await => {}
            (MessageKind::Notification, _) => {
                call.client_notified = true;
                forward_notification(ctx, request, &message, call).await;
            }
            (MessageKind::Request, era)
                if !request.caller.profile.accepts_server_request(&message, era) =>
            {
                reject_server_request(&ctx.gateway, &call.connection, &message);
            }
            (MessageKind::Request, Era::Legacy) => {
                call.client_notified = true;
                // To answer, the client may need a call at this upstream.
                call.permit = None;
                forward_server_request(ctx, &call.connection, Some(call.upstream_id), &message)
                    .await;
            }
            (MessageKind::Request, Era::Modern) if !input::supports_input(&target.method) => {
                decline(&ctx.gateway, &call.connection, &message);
            }
            (MessageKind::Request, Era::Modern) => return Ok(CallEvent::ServerRequest(message)),
        }
    }
}

fn is_waiting_for_client(ctx: &Context, call: &UpstreamCall) -> bool {
    let pending = &ctx.session.server_requests;
    pending.is_pending_in(&call.connection, call.upstream_id)
}

fn fail_call(
    ctx: &Context,
    target: &Target<'_>,
    upstream: &Upstream,
    call: &UpstreamCall,
    cause: TransportError,
) -> AttemptFailed {
    if cause.is_timeout() {
        // MCP 2025-11-25 § Lifecycle, Timeouts.
        let body = cancelled_notification(call.upstream_id, "no answer in time");
        send_to_upstream(&ctx.gateway, &call.connection, body);
    }
    cancel_requests_of_call(ctx, &call.connection, call.upstream_id);
    AttemptFailed {
        error: upstream.error(&target.method, cause),
        client_notified: call.client_notified,
    }
}

/// Forwards a notification that came on the stream of the call.
async fn forward_notification(
    ctx: &Context,
    request: &ClientRequest,
    message: &Message,
    call: &UpstreamCall,
) {
    let session = &ctx.session;
    match &*message.method() {
        "notifications/progress" => return forward_progress(session, request, message, call).await,
        "notifications/cancelled" => {
            return on_cancelled_by_upstream(ctx, &call.connection, message).await;
        }
        "notifications/message" if !accepts_log(session, request, &call.connection, message) => {
            return debug!("dropping a log that the client did not request");
        }
        _ if is_hidden(session, message, call.upstream, request.caller.era) => {
            return debug!("dropping the status of a task that the client does not know");
        }
        "notifications/elicitation/complete" if request.caller.era == Era::Modern => {
            return debug!("dropping a notification that modern clients do not know");
        }
        _ => {}
    }
    session.send_message(message).await;
}

/// Forwards progress under the client's token. The upstream's token differs if the client has resumed a
/// suspended call, or shares the upstream with other clients.
async fn forward_progress(
    session: &ClientSession,
    request: &ClientRequest,
    message: &Message,
    call: &UpstreamCall,
) {
    let token = message.param("progressToken");
    let tokens = call.progress_token.as_deref().zip(token.as_ref());
    let (true, Some(client_token), Some(token)) = (
        tokens.is_some_and(|(call_token, token)| is_same_key(call_token, token.value())),
        &request.progress_token,
        &token,
    ) else {
        return debug!("dropping progress under an unknown token");
    };
    let line = match is_same_key(client_token, token.value()) {
        true => message.bytes().clone(),
        false => bridge::with_param(message, "progressToken", client_token),
    };
    session.send(Line::whole(line)).await;
}

/// Returns progress that came on no stream of a call, under the client's token. `None` if no call of the client
/// has the token.
pub(crate) fn translate_progress(session: &ClientSession, message: &Message) -> Option<Bytes> {
    let token = message.param("progressToken")?;
    let key = JsonKey::new(&message.bytes().slice_ref(token.value()));
    if session.in_flight.record_progress(&key) {
        return Some(message.bytes().clone());
    }
    let client_token = session.in_flight.client_token_for(&key)?;
    session
        .in_flight
        .record_progress(&JsonKey::new(&client_token));
    Some(bridge::with_param(message, "progressToken", &client_token))
}
