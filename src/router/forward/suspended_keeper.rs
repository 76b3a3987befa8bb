//! The keeper task of a suspended call. It handles what the upstream sends, and ends the call if the client does
//! not resume it.

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::notify::on_change_in_response_stream;
use super::server_requests::{reject_server_request, send_to_upstream};
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::reply::cancelled_notification;
use crate::router::call::suspended::{InputRequest, SuspendedCall};
use crate::router::client::suspended_calls::SuspendedEntry;
use crate::router::context::Context;
use crate::upstream::TransportError;
use crate::wire::{Message, MessageKind};

/// Holds a call until the client resumes it, which cancels `claim`, or the input wait is over.
pub(crate) async fn keep_suspended(
    ctx: Context,
    handle: String,
    mut call: SuspendedCall,
    claim: CancellationToken,
) -> Option<SuspendedCall> {
    let gateway = &ctx.gateway;
    let mut input_wait = std::pin::pin!(sleep(gateway.limits.input_wait));
    loop {
        tokio::select! {
            biased;
            () = claim.cancelled() => return Some(call),
            () = &mut input_wait => break,
            received = call.next() => on_received(&ctx, &mut call, received).await,
        }
    }
    // The client has resumed the call at the same moment.
    if !ctx.session.suspended_calls.expire(&handle) {
        return Some(call);
    }
    info!(
        subject = call.fingerprint.subject(),
        "suspended call timed out; ending the call"
    );
    abandon(ctx, call).await;
    None
}

/// Handles what the upstream sends while the call is suspended.
async fn on_received(
    ctx: &Context,
    call: &mut SuspendedCall,
    received: Result<Message, TransportError>,
) {
    let Ok(message) = &received else {
        return call.on_received(received);
    };
    match message.kind() {
        MessageKind::Request
            if !call
                .client_profile
                .accepts_server_request(message, Era::Modern) =>
        {
            if let Some((connection, _)) = call.sent() {
                reject_server_request(&ctx.gateway, &connection, message);
            }
        }
        MessageKind::Request if call.is_full() => {
            if let Some((connection, _)) = call.sent() {
                let body = bridge::too_many_server_requests(message);
                send_to_upstream(&ctx.gateway, &connection, body);
            }
        }
        MessageKind::Notification if on_change_while_suspended(ctx, call, message).await => {}
        _ => call.on_received(received),
    }
}

/// Ends a suspended call at its upstream: cancels its task, answers its server requests, and cancels the call.
pub(crate) async fn abandon(ctx: Context, call: SuspendedCall) {
    let proxied = &ctx.session.proxied_tasks;
    if let Some(task) = call.proxied_task.and_then(|task| proxied.take(task)) {
        task.cancel().await;
    }
    let Some((connection, upstream_id)) = call.sent() else {
        return;
    };
    let unanswered = call
        .input_requests
        .iter()
        .filter_map(InputRequest::unanswered);
    let body = cancelled_notification(upstream_id, "the client did not resume the call");
    for body in unanswered.chain([body]) {
        if let Err(error) = connection.notify(body).await {
            debug!(%error, "could not send to the upstream");
        }
    }
}

/// Takes a call from its keeper, and ends it at its upstream.
pub(crate) async fn abandon_entry(ctx: Context, entry: SuspendedEntry) {
    entry.claim.cancel();
    if let Ok(Some(call)) = entry.keeper.await {
        abandon(ctx, call).await;
    }
}

/// Handles a change notification on the stream of a suspended call. Returns `false` for any other notification.
async fn on_change_while_suspended(
    ctx: &Context,
    call: &SuspendedCall,
    notification: &Message,
) -> bool {
    let Some(call) = &call.call else { return false };
    match ctx.gateway.upstreams.get(call.upstream) {
        Some(upstream) => {
            on_change_in_response_stream(ctx, &upstream, &call.connection, notification).await
        }
        None => false,
    }
}
