//! `subscriptions/listen` of a modern client, for upstreams of both eras.

use bytes::Bytes;
use tracing::debug;

use super::upstream_subscriptions::subscribe_at_candidates;
use crate::protocol::Era;
use crate::protocol::subscription_id;
use crate::router::call::request::ClientRequest;
use crate::router::client::ClientSession;
use crate::router::client::subscriptions::filter::SubscriptionFilter;
use crate::router::client::subscriptions::listen::{ListenGuard, MAX_LISTENS};
use crate::router::context::Context;
use crate::router::context::capabilities::all_connections;
use crate::router::forward::begin_request;
use crate::upstream::SubscriptionGuard;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a listen. The client receives a response only if the proxy ends or rejects the listen.
pub(crate) async fn listen(ctx: &Context, message: Message, client: Era) {
    match SubscriptionFilter::read(&message) {
        Err(reason) => ctx.refuse(&message, code::INVALID_PARAMS, &reason).await,
        Ok(filter) => {
            let subject = "changes".to_owned();
            begin_request(ctx, message, client, subject, |ctx, request| async move {
                serve_listen(&ctx, &request, filter).await
            })
            .await;
        }
    }
}

async fn serve_listen(ctx: &Context, request: &ClientRequest, filter: SubscriptionFilter) -> Line {
    let Context { gateway, session } = ctx;
    let listens = &session.subscriptions.listens;
    let uris = filter.uris.clone();
    let Some(listen) = listens.open(&request.id, filter) else {
        let text =
            format!("the client has {MAX_LISTENS} open subscriptions already; cancel one of them");
        return request.refusal_line(code::INVALID_PARAMS, &text);
    };
    let mut changes = gateway.upstreams.watch();
    // The guards are held until the client cancels the listen.
    let mut subscriptions = subscribe_at_candidates(ctx, uris).await;
    if let Some(connections) = all_connections(gateway) {
        let announced = |capability: &str| {
            connections
                .iter()
                .any(|connection| connection.server_profile.declares_list_changed(capability))
        };
        listens.retain_announced(&listen, announced);
    }
    while let Some(permit) = session.outbox.reserve(0).await
        && listens.acknowledge(&listen, &subscriptions, permit)
    {}
    debug!("listening");
    // Never fails: the gateway holds the sender.
    while changes.changed().await.is_ok() {
        subscriptions = move_subscriptions(ctx, &listen, subscriptions).await;
    }
    std::future::pending().await
}

/// Moves the subscriptions at removed upstreams to configured ones.
async fn move_subscriptions(
    ctx: &Context,
    listen: &ListenGuard<'_>,
    subscriptions: Vec<SubscriptionGuard>,
) -> Vec<SubscriptionGuard> {
    let Context { gateway, session } = ctx;
    let is_configured = |guard: &SubscriptionGuard| gateway.upstreams.contains(guard.upstream());
    let (mut kept, removed): (Vec<_>, Vec<_>) = subscriptions.into_iter().partition(is_configured);
    if removed.is_empty() {
        return kept;
    }
    let listens = &session.subscriptions.listens;
    listens.begin_move(listen);
    let uris = removed
        .iter()
        .flat_map(|guard| guard.uris().iter().cloned());
    kept.extend(subscribe_at_candidates(ctx, uris.collect()).await);
    listens.finish_move(listen, &kept);
    kept
}

/// Notifies the client that these listens end. On stdio, sends both the cancellation and the result
/// (MCP 2026-07-28 § Cancellation, § Subscriptions, Graceful Closure).
pub(crate) async fn end_listens(session: &ClientSession, ids: Vec<Bytes>) {
    for id in ids {
        session
            .send(subscription_id::cancelled_notification(&id))
            .await;
        session.send(subscription_id::result(&id)).await;
    }
}
