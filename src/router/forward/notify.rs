//! Notifying one client of a change.

use crate::protocol::ItemKind;
use crate::protocol::subscription_id;
use crate::router::call::change::Change;
use crate::router::client::ClientSession;
use crate::router::context::Context;
use crate::upstream::{ConnectionUse, Upstream};
use crate::wire::{Line, Message};

/// Takes a change that an upstream announces on the stream of a call, which it had at hand: it is for every
/// client. Returns `false` for any other notification.
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

/// Notifies a client of a change, as far as it is subscribed. `to_session` is whether its session is, for all
/// that a session need not subscribe to.
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
        // A modern upstream's carries the id of our subscription.
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
