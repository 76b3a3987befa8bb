//! `subscriptions/listen` of a modern client, whatever the eras of the upstreams are.

use bytes::Bytes;
use tracing::debug;

use super::upstream_subscriptions::subscribe_at_first;
use crate::protocol::Era;
use crate::protocol::subscription_id;
use crate::router::call::request::ClientRequest;
use crate::router::client::ClientSession;
use crate::router::client::subscriptions::filter::Filter;
use crate::router::client::subscriptions::listen::{ListenGuard, MAX_LISTENS};
use crate::router::context::Context;
use crate::router::context::capabilities::connected;
use crate::router::forward::begin_request;
use crate::upstream::SubscriptionGuard;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a listen. It is answered only when the proxy ends it, or refuses it.
pub(crate) async fn listen(ctx: &Context, message: Message, client: Era) {
    match Filter::read(&message) {
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

async fn serve_listen(ctx: &Context, request: &ClientRequest, filter: Filter) -> Line {
    let Context { gateway, session } = ctx;
    let listens = &session.subscriptions.listens;
    let uris = filter.uris.clone();
    let Some(listen) = listens.open(&request.id, filter) else {
        let text =
            format!("{MAX_LISTENS} subscriptions are open already; cancel one that you have");
        return request.refused(code::INVALID_PARAMS, &text);
    };
    let mut changes = gateway.upstreams.watch();
    // Both are held until the client cancels.
    let mut wishes = subscribe_at_first(ctx, uris).await;
    if let Some(connections) = connected(gateway) {
        let announced = |what: &str| {
            connections
                .iter()
                .any(|connection| connection.profile.declares_list_changed(what))
        };
        listens.limit(&listen, announced);
    }
    while let Some(permit) = session.outbox.reserve(0).await
        && listens.acknowledge(&listen, &wishes, permit)
    {}
    debug!("listening");
    // Fails never: the sender is the gateway's, too.
    while changes.changed().await.is_ok() {
        wishes = move_wishes(ctx, &listen, wishes).await;
    }
    std::future::pending().await
}

/// Subscribes elsewhere to resources of upstreams that are gone, or are configured anew.
async fn move_wishes(
    ctx: &Context,
    listen: &ListenGuard<'_>,
    wishes: Vec<SubscriptionGuard>,
) -> Vec<SubscriptionGuard> {
    let Context { gateway, session } = ctx;
    let stays = |wishes: &SubscriptionGuard| gateway.upstreams.contains(wishes.upstream());
    let (mut kept, gone): (Vec<_>, Vec<_>) = wishes.into_iter().partition(stays);
    if gone.is_empty() {
        return kept;
    }
    let listens = &session.subscriptions.listens;
    listens.moving(listen);
    let uris = gone.iter().flat_map(|wishes| wishes.uris().iter().cloned());
    kept.extend(subscribe_at_first(ctx, uris.collect()).await);
    listens.moved(listen, &kept);
    kept
}

/// Notifies the client that these listens end: on stdio by both messages that there are
/// (MCP 2026-07-28 § Cancellation, § Subscriptions, Graceful Closure).
pub(crate) async fn end_listens(session: &ClientSession, ids: Vec<Bytes>) {
    for id in ids {
        session
            .send(subscription_id::cancelled_notification(&id))
            .await;
        session.send(subscription_id::result(&id)).await;
    }
}
