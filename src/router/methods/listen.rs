//! `subscriptions/listen` of a modern client, whatever the eras of the upstreams are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::debug;

use crate::protocol::Era;
use crate::protocol::subscription_tag;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::router::client::subscriptions::filter::Filter;
use crate::router::client::subscriptions::{MAX_LISTENS, Place};
use crate::upstream::{SubscriptionGuard, Upstream, UpstreamId};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// How long upstreams may take to take subscriptions, in all.
pub(crate) const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

impl Router {
    /// Begins a listen. It is answered only when we end it, or refuse it.
    pub(crate) async fn listen(self: &Arc<Self>, message: Message, client: Era) {
        match Filter::read(&message) {
            Err(reason) => self.refuse(&message, code::INVALID_PARAMS, &reason).await,
            Ok(filter) => {
                let subject = "changes".to_owned();
                self.relay(message, client, subject, |router, request| async move {
                    router.serve_listen(&request, filter).await
                })
                .await;
            }
        }
    }

    async fn serve_listen(self: &Arc<Self>, request: &Relayed, filter: Filter) -> Line {
        let uris = filter.uris.clone();
        let Some(place) = self.subscriptions.open(&request.id, filter) else {
            let text =
                format!("{MAX_LISTENS} subscriptions are open already; cancel one that you have");
            return request.refused(code::INVALID_PARAMS, &text);
        };
        let mut roster = self.upstreams.watch();
        // Both are held until the client cancels.
        let mut wishes = self.want(uris).await;
        if let Some(lives) = self.connected() {
            let announced = |what: &str| lives.iter().any(|live| live.profile.announces(what));
            self.subscriptions.limit(&place, announced);
        }
        while let Some(permit) = self.outbox.reserve(0).await
            && self.subscriptions.acknowledge(&place, &wishes, permit)
        {}
        debug!("listening");
        // Fails never: the sender is the router's, too.
        while roster.changed().await.is_ok() {
            wishes = self.move_wishes(&place, wishes).await;
        }
        std::future::pending().await
    }

    /// Wants elsewhere what was wanted of upstreams that are not there any more, or not as they were.
    async fn move_wishes(
        &self,
        place: &Place<'_>,
        wishes: Vec<SubscriptionGuard>,
    ) -> Vec<SubscriptionGuard> {
        let stays = |wishes: &SubscriptionGuard| self.upstreams.has(wishes.upstream());
        let (mut kept, gone): (Vec<_>, Vec<_>) = wishes.into_iter().partition(stays);
        if gone.is_empty() {
            return kept;
        }
        self.subscriptions.moving(place);
        let uris = gone.iter().flat_map(|wishes| wishes.uris().iter().cloned());
        kept.extend(self.want(uris.collect()).await);
        self.subscriptions.moved(place, &kept);
        kept
    }

    /// Wants updates of these resources, each from the first upstream that takes it of those that
    /// may have it. What none takes is left out.
    pub(crate) async fn want(&self, uris: Vec<Arc<str>>) -> Vec<SubscriptionGuard> {
        if uris.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = uris.iter().map(|uri| &**uri).collect();
        let who = self.who_have(&names).await;
        let who = who.into_iter().map(IntoIterator::into_iter);
        let mut open: Vec<_> = uris.iter().cloned().zip(who).collect();
        let end = Instant::now() + SUBSCRIBE_TIMEOUT;
        let mut all: Vec<SubscriptionGuard> = Vec::new();
        loop {
            let mut round: BTreeMap<UpstreamId, (Upstream, Vec<Arc<str>>)> = BTreeMap::new();
            for (uri, who) in &mut open {
                if let Some(upstream) = who.next() {
                    let asked = round.entry(upstream.id());
                    let (_, asked) = asked.or_insert_with(|| (upstream, Vec::new()));
                    asked.push(uri.clone());
                }
            }
            if round.is_empty() {
                return all;
            }
            let asked = round.into_values().map(|(upstream, uris)| async move {
                let mut wishes = upstream.want(uris);
                wishes.settle(end - Instant::now()).await;
                wishes
            });
            for wishes in join_all(asked).await {
                open.retain(|(uri, _)| !wishes.uris().contains(uri));
                all.push(wishes);
            }
        }
    }

    /// Ends all listens, and tells the client: on stdio by both words that there are
    /// (MCP 2026-07-28 § Cancellation, § Subscriptions, Graceful Closure).
    pub(crate) async fn end_listens(&self, ids: Vec<bytes::Bytes>) {
        for id in ids {
            self.send(subscription_tag::cancelled(&id)).await;
            self.send(subscription_tag::result(&id)).await;
        }
    }
}
