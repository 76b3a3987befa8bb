//! Delivers what upstreams send outside of requests to the clients concerned. Each client applies its own
//! filters.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use tracing::debug;

use super::call::change::Change;
use super::client::ClientSession;
use super::client::number::SessionNumber;
use super::context::Context;
use super::context::gateway::Gateway;
use super::forward::follow::translate_progress;
use super::forward::logs::on_log;
use super::forward::notify::notify_subscribers;
use super::forward::server_requests::{
    cancel_requests_of_connection, decline, is_unrequested_elicitation, on_cancelled_by_upstream,
    on_server_request, reject_server_request,
};
use super::forward::task_visibility::is_hidden_outside_requests;
use super::sessions::{OpenSession, Sessions};
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::{ConnectionUse, EventHandler, UpstreamId};
use crate::wire::{Line, Member, Message};

/// Delivers notifications and server requests of upstreams to the clients.
#[derive(Debug)]
pub(crate) struct Fanout {
    /// Weak, because the gateway owns the upstreams, and their tasks own this.
    gateway: Weak<Gateway>,
    sessions: Arc<Sessions>,
}

impl Fanout {
    pub(crate) fn new(gateway: Weak<Gateway>, sessions: Arc<Sessions>) -> Self {
        Self { gateway, sessions }
    }
}

impl EventHandler for Fanout {
    fn on_notification(
        &self,
        upstream: UpstreamId,
        connection: ConnectionUse,
        message: Message,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(gateway) = self.gateway.upgrade() else {
                return;
            };
            let method = message.method();
            if method == "notifications/cancelled" {
                connection.inboxes.deliver_cancellation(&message);
            }
            let kinds = ItemKind::from_change_notification(&method).unwrap_or_default();
            gateway.items.invalidate(kinds);
            let progress_client = client_of_progress(&gateway, &message);
            for open in self.sessions.all().iter() {
                open.session.announced_items.mark_notified(upstream, kinds);
                if progress_client.is_some_and(|number| number != open.session.number) {
                    continue;
                }
                let ctx = open.context(&gateway);
                let delivery = on_notification(ctx, upstream, connection.clone(), message.clone());
                open.deliver(&gateway, Box::pin(delivery)).await;
            }
        })
    }

    fn on_server_request(&self, connection: ConnectionUse, request: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(gateway) = self.gateway.upgrade() else {
                return;
            };
            if !connection.client_profile.supports_server_request(&request) {
                return reject_server_request(&gateway, &connection, &request);
            }
            let is_delivered = match client_to_ask(&gateway, &self.sessions, &connection) {
                None => false,
                Some(open) => {
                    let ctx = open.context(&gateway);
                    let delivery = on_server_request(ctx, connection.clone(), request.clone());
                    open.deliver(&gateway, Box::pin(delivery)).await
                }
            };
            if !is_delivered {
                decline(&gateway, &connection, &request);
            }
        })
    }

    fn has_sent_items(&self, upstream: UpstreamId, kind: ItemKind) -> bool {
        let all = self.sessions.all();
        let mut announced = all.iter().map(|open| &open.session.announced_items);
        announced.any(|announced| announced.was_sent(upstream, kind))
    }

    fn on_items_listed(
        &self,
        upstream: UpstreamId,
        lists: Vec<(ItemKind, ItemList)>,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(gateway) = self.gateway.upgrade() else {
                return;
            };
            for open in self.sessions.all().iter() {
                if let Some(message) = change_notification(&open.session, upstream, &lists) {
                    gateway.items.invalidate(
                        ItemKind::from_change_notification(&message.method()).unwrap_or_default(),
                    );
                    let ctx = open.context(&gateway);
                    let delivery =
                        async move { forward_notification(&ctx, upstream, None, &message).await };
                    open.deliver(&gateway, Box::pin(delivery)).await;
                }
            }
        })
    }

    fn on_disconnect(&self, connection: &ConnectionUse) {
        if let Some(gateway) = self.gateway.upgrade() {
            for open in self.sessions.all().iter() {
                cancel_requests_of_connection(&open.context(&gateway), connection);
            }
        }
    }
}

/// Returns the notification of a change if the client was sent other lists than these. The lists change
/// together, so the notification of the first covers all.
fn change_notification(
    session: &ClientSession,
    upstream: UpstreamId,
    lists: &[(ItemKind, ItemList)],
) -> Option<Message> {
    let announced = &session.announced_items;
    let changed: Vec<_> = lists
        .iter()
        .filter(|(kind, list)| announced.take_if_changed(upstream, *kind, list))
        .collect();
    let (kind, _) = changed.first()?;
    let method = kind.change_notification();
    debug!(
        method,
        "listing changed while the upstream was disconnected"
    );
    Message::parse(Line::notification(method).into_bytes()).ok()
}

/// Returns the client that a progress notification is for. If there are several clients, their tokens contain
/// their numbers.
fn client_of_progress(gateway: &Gateway, message: &Message) -> Option<SessionNumber> {
    if !gateway.is_shared() || message.method() != "notifications/progress" {
        return None;
    }
    let token = message.param("progressToken");
    let token = token.as_ref().map(Member::value);
    Some(SessionNumber::from_token(token.unwrap_or_default()))
}

/// Returns the client for a server request that came on a stream of no call:
///
/// - the single client;
/// - of several, the one that the connection serves, or that has a call in flight on it;
/// - if these are several, the one with a call in flight on it.
///
/// `None` if several clients remain: the request may be for any of them.
fn client_to_ask(
    gateway: &Gateway,
    sessions: &Sessions,
    connection: &ConnectionUse,
) -> Option<Arc<OpenSession>> {
    let all = sessions.all();
    if !gateway.is_shared() {
        return all.first().cloned();
    }
    let has_call = |open: &&Arc<OpenSession>| open.session.has_call_at(connection);
    let is_served = |open: &&Arc<OpenSession>| {
        let session = &open.session;
        let serves = || connection.serves(&session.profiles.session_or_neutral());
        has_call(open) || session.is_initialized() && serves()
    };
    let mut candidates: Vec<_> = all.iter().filter(is_served).collect();
    if candidates.len() > 1 {
        candidates.retain(has_call);
    }
    match &candidates[..] {
        [only] => Some((*only).clone()),
        _ => None,
    }
}

/// Handles a notification for one client.
async fn on_notification(
    ctx: Context,
    upstream: UpstreamId,
    connection: ConnectionUse,
    message: Message,
) {
    match &*message.method() {
        "notifications/cancelled" => on_cancelled_by_upstream(&ctx, &connection, &message).await,
        "notifications/message" => on_log(&ctx, upstream, &connection, &message).await,
        _ => forward_notification(&ctx, upstream, Some(&connection), &message).await,
    }
}

/// Forwards a notification outside of requests. A modern client receives these only by a subscription
/// (MCP 2026-07-28 § Subscriptions). Progress is the exception: HTTP+SSE upstreams send it on no other stream.
async fn forward_notification(
    ctx: &Context,
    upstream: UpstreamId,
    connection: Option<&ConnectionUse>,
    message: &Message,
) {
    let session = &ctx.session;
    let is_initialized = session.is_initialized();
    if let Some(change) = Change::read(upstream, message) {
        return notify_subscribers(session, &change, message, is_initialized).await;
    }
    let method = message.method().into_owned();
    let is_progress = method == "notifications/progress";
    if is_hidden_outside_requests(ctx, message, upstream) {
        return debug!(%upstream, method, "dropping the status of a task that the client does not know");
    }
    let is_for_client =
        || is_initialized && !is_for_another_client(ctx, upstream, connection, message);
    if !is_progress && !is_for_client() {
        return debug!(%upstream, method, "dropping a notification that is not for the client");
    }
    let Some(permit) = session.outbox.reserve(message.bytes().len()).await else {
        return;
    };
    // No await from here on. A call removes its token before its response is queued, so progress cannot follow
    // the response.
    if is_progress {
        let Some(line) = translate_progress(session, message) else {
            return debug!(%upstream, "dropping progress under an unknown token");
        };
        return permit.send(Line::whole(line));
    }
    permit.send(Line::whole(message.bytes().clone()));
}

/// Whether a notification on this connection is for another client. Then the connection does not serve this
/// client, or this client did not receive the elicitation. Always `false` for a single client.
fn is_for_another_client(
    ctx: &Context,
    upstream: UpstreamId,
    connection: Option<&ConnectionUse>,
    message: &Message,
) -> bool {
    let serves_client =
        |connection: &ConnectionUse| ctx.is_connection_of_session(upstream, connection);
    ctx.gateway.is_shared()
        && (!connection.is_none_or(serves_client)
            || is_unrequested_elicitation(&ctx.session, message))
}
