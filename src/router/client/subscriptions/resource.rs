//! The resource subscriptions of a legacy client's session.

use std::collections::HashMap;
use std::sync::Arc;

use super::covers::covers;
use super::filter::MAX_URIS;
use crate::sync::Mutex;
use crate::upstream::{SubscriptionGuard, Upstream, UpstreamId};

/// The resource subscriptions of one session.
#[derive(Debug, Default)]
pub(crate) struct ResourceSubscriptions {
    resources: Mutex<HashMap<Arc<str>, Subscribed>>,
}

/// A resource with a subscription, or with a request for one.
#[derive(Debug, Default)]
struct Subscribed {
    /// The number of requests in flight that subscribe to the resource.
    pending: usize,
    guard: Option<SubscriptionGuard>,
}

/// A request in flight that subscribes to a resource.
pub(crate) struct PendingSubscription<'a> {
    subscriptions: &'a ResourceSubscriptions,
    uri: Arc<str>,
}

impl PendingSubscription<'_> {
    /// The URI of the resource.
    pub(crate) fn uri(&self) -> &Arc<str> {
        &self.uri
    }
}

impl Drop for PendingSubscription<'_> {
    fn drop(&mut self) {
        let mut resources = self.subscriptions.resources.lock();
        if let Some(subscribed) = resources.get_mut(&self.uri) {
            subscribed.pending -= 1;
            if subscribed.pending == 0 && subscribed.guard.is_none() {
                resources.remove(&self.uri);
            }
        }
    }
}

impl ResourceSubscriptions {
    /// Records that a request subscribes to this resource. `None` if the limit is reached.
    pub(crate) fn begin(&self, uri: &str) -> Option<PendingSubscription<'_>> {
        let mut resources = self.resources.lock();
        if resources.len() >= MAX_URIS && !resources.contains_key(uri) {
            return None;
        }
        let uri = Arc::from(uri);
        resources.entry(Arc::clone(&uri)).or_default().pending += 1;
        Some(PendingSubscription {
            subscriptions: self,
            uri,
        })
    }

    /// Records that the session is subscribed to the resource.
    pub(crate) fn set(&self, pending: &PendingSubscription<'_>, guard: SubscriptionGuard) {
        let mut resources = self.resources.lock();
        let subscribed = resources.entry(pending.uri.clone()).or_default();
        let old = subscribed.guard.replace(guard);
        drop((resources, old));
    }

    /// Removes and returns the session's subscription.
    pub(crate) fn remove(&self, uri: &str) -> Option<SubscriptionGuard> {
        let mut resources = self.resources.lock();
        let subscribed = resources.get_mut(uri)?;
        let guard = subscribed.guard.take();
        if subscribed.pending == 0 {
            resources.remove(uri);
        }
        guard
    }

    /// Removes all subscriptions.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.resources.lock());
        drop(all);
    }

    /// The resources subscribed to at upstreams that are no longer configured.
    pub(crate) fn uris_at_removed_upstreams(
        &self,
        is_configured: impl Fn(&Upstream) -> bool,
    ) -> Vec<Arc<str>> {
        let resources = self.resources.lock();
        let is_at_removed = |(uri, it): (&Arc<str>, &Subscribed)| {
            let guard = it.guard.as_ref()?;
            (!is_configured(guard.upstream())).then(|| uri.clone())
        };
        resources.iter().filter_map(is_at_removed).collect()
    }

    /// The upstream of the session's subscription to this resource.
    pub(crate) fn upstream_of(&self, uri: &str) -> Option<Upstream> {
        let resources = self.resources.lock();
        let guard = resources.get(uri)?.guard.as_ref();
        Some(guard?.upstream().clone())
    }

    /// Whether the session receives updates of this resource from this upstream.
    pub(crate) fn accepts(&self, upstream: UpstreamId, uri: &str) -> bool {
        let resources = self.resources.lock();
        covers(uri, |uri| {
            let subscribed = resources.get(uri);
            subscribed.is_some_and(|subscribed| {
                let guard = subscribed.guard.as_ref();
                subscribed.pending > 0
                    || guard.is_some_and(|guard| guard.upstream().id() == upstream)
            })
        })
    }
}
