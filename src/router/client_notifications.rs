//! Forwards the notifications of a client to the upstreams.

use tracing::debug;

use super::context::Context;
use super::forward::server_requests::{on_client_progress, send_to_upstream};
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::json_key::JsonKey;
use crate::upstream::ConnectionUse;
use crate::wire::Message;

/// Notifications that the modern era removed (MCP 2026-07-28 § Changelog).
const LEGACY_NOTIFICATIONS: [&str; 1] = ["notifications/roots/list_changed"];

/// Forwards a notification unchanged. Progress goes to the upstream that sent the token, any other notification
/// to every upstream whose era may know it.
pub(crate) fn forward_to_upstreams(ctx: &Context, notification: &Message) {
    let Context { gateway, session } = ctx;
    let method = notification.method();
    if method == "notifications/progress" {
        return on_client_progress(ctx, notification);
    }
    debug!(%method, "forwarding a notification");
    // Without a session of the client, every connection may serve it.
    let client = session.profiles.session();
    let upstreams = gateway.upstreams.all();
    let serves_client = |connection: &ConnectionUse| {
        client
            .as_ref()
            .is_none_or(|client| connection.serves(client))
    };
    let connections = upstreams
        .iter()
        .flat_map(|upstream| upstream.pool().connections());
    for connection in connections.filter(serves_client) {
        if connection.server_profile.era == Era::Modern && LEGACY_NOTIFICATIONS.contains(&&*method)
        {
            continue;
        }
        let body = notification.bytes().clone();
        gateway.tasks.spawn(async move {
            if let Err(error) = connection.notify_any_revision(body).await {
                debug!(%error, "could not deliver a notification");
            }
        });
    }
}

/// Cancels the request that the client has cancelled (MCP § Cancellation). No response follows.
pub(crate) fn cancel_request(ctx: &Context, notification: &Message) {
    let Some(id) = notification.param("requestId") else {
        return;
    };
    let key = JsonKey::new(&notification.bytes().slice_ref(id.value()));
    let Some(call) = ctx.session.in_flight.abort(&key) else {
        return;
    };
    ctx.session.subscriptions.listens.close(&key);
    debug!(id = %String::from_utf8_lossy(id.value()), "cancelled by the client");
    if let Some((connection, upstream_id)) = call {
        let id = upstream_id.to_string();
        let body = bridge::with_param(notification, "requestId", id.as_bytes());
        send_to_upstream(&ctx.gateway, &connection, body);
    }
}
