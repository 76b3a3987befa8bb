//! Notifies one client of changes.

use crate::protocol::ItemKind;
use crate::protocol::subscription_id;
use crate::router::call::change::Change;
use crate::router::client::ClientSession;
use crate::router::context::Context;
use crate::upstream::{ConnectionUse, Upstream};
use crate::wire::{Line, Message};

/// Handles a change notification that came on the stream of a call. It is for every client, not only for the
/// call's. Returns `false` for any other notification.
pub(crate) async fn on_change_in_response_stream(
    ctx: &Context,
    upstream: &Upstream,
    connection: &ConnectionUse,
    message: &Message,
) -> bool {
    match Change::read(upstream.id(), message) {
        None => return false,
        Some(Change::Tools) => upstream.request_tool_refresh(),
        Some(_) => {
            let kinds = ItemKind::from_change_notification(&message.method());
            upstream.offers().invalidate(kinds.unwrap_or_default());
            let events = &ctx.gateway.events;
            events
                .on_notification(upstream.id(), connection.clone(), message.clone())
                .await;
        }
    }
    true
}

/// Notifies the subscriptions of a client of a change. `to_session` is whether its legacy session receives list
/// changes, which need no subscription.
pub(crate) async fn notify_subscribers(
    session: &ClientSession,
    change: &Change,
    message: &Message,
    to_session: bool,
) {
    let line = match change {
        Change::ResourceUpdated { upstream, uri } => {
            let accepts = session.subscriptions.resources.accepts(*upstream, uri);
            accepts.then(|| Line::whole(subscription_id::without_subscription_id(message)))
        }
        // A new message, since a modern upstream's has the id of the proxy's subscription.
        _ => to_session.then(|| Line::notification(&message.method())),
    };
    if let Some(line) = line {
        session.send(line).await;
    }
    let listens = &session.subscriptions.listens;
    for listen in listens.accepting(change) {
        let Some(permit) = session.outbox.reserve(message.bytes().len()).await else {
            return;
        };
        listens.notify(&listen, change, message, permit);
    }
}
