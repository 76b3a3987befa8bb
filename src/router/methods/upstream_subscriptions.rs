//! Subscribes to updates of resources at their upstreams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::routing::candidates_for_all;
use crate::router::context::Context;
use crate::upstream::{SubscriptionGuard, Upstream, UpstreamId};

/// The total deadline for upstreams to accept subscriptions.
pub(crate) const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Subscribes to updates of these resources, each at the first candidate that accepts. Leaves out resources that no
/// upstream accepts.
pub(crate) async fn subscribe_at_candidates(
    ctx: &Context,
    uris: Vec<Arc<str>>,
) -> Vec<SubscriptionGuard> {
    if uris.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = uris.iter().map(|uri| &**uri).collect();
    let candidates = candidates_for_all(ctx, &names).await;
    let candidates = candidates.into_iter().map(IntoIterator::into_iter);
    let mut unaccepted: Vec<_> = uris.iter().cloned().zip(candidates).collect();
    let deadline = Instant::now() + SUBSCRIBE_TIMEOUT;
    let mut guards: Vec<SubscriptionGuard> = Vec::new();
    loop {
        let mut round: BTreeMap<UpstreamId, (Upstream, Vec<Arc<str>>)> = BTreeMap::new();
        for (uri, candidates) in &mut unaccepted {
            if let Some(upstream) = candidates.next() {
                let batch = round.entry(upstream.id());
                let (_, batch) = batch.or_insert_with(|| (upstream, Vec::new()));
                batch.push(uri.clone());
            }
        }
        if round.is_empty() {
            return guards;
        }
        let attempts = round.into_values().map(|(upstream, uris)| async move {
            let mut guard = upstream.subscribe(uris);
            guard
                .wait_until_acknowledged(deadline - Instant::now())
                .await;
            guard
        });
        for guard in join_all(attempts).await {
            unaccepted.retain(|(uri, _)| !guard.uris().contains(uri));
            guards.push(guard);
        }
    }
}
