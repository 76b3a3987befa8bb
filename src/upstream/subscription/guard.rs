//! The guard that keeps resources subscribed until it is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::ledger::Subscriptions;

/// Keeps resources of one upstream subscribed, and the upstream in use, until it is dropped.
#[derive(Debug)]
pub struct SubscriptionGuard<Owner> {
    owner: Owner,
    subscriptions: Arc<Subscriptions>,
    uris: Vec<Arc<str>>,
}

impl<Owner> SubscriptionGuard<Owner> {
    /// Subscribes to updates of resources of `owner`.
    pub(crate) fn new(
        owner: Owner,
        subscriptions: &Arc<Subscriptions>,
        uris: Vec<Arc<str>>,
    ) -> Self {
        subscriptions.add(&uris);
        Self {
            owner,
            subscriptions: subscriptions.clone(),
            uris,
        }
    }

    /// Waits at most `within` until the server has acknowledged or rejected each resource. Then drops the
    /// resources that it has not acknowledged.
    pub async fn wait_until_acknowledged(&mut self, within: Duration) {
        let mut ledger = self.subscriptions.watch();
        let uris = &self.uris;
        let all = ledger.wait_for(|ledger| !uris.iter().any(|uri| ledger.is_unanswered(uri)));
        let _ = timeout(within, all).await;
        self.subscriptions.retain_acknowledged(&mut self.uris);
    }

    /// Returns the URIs of the resources.
    #[must_use]
    pub fn uris(&self) -> &[Arc<str>] {
        &self.uris
    }

    /// Returns the upstream that has the resources.
    #[must_use]
    pub fn upstream(&self) -> &Owner {
        &self.owner
    }

    /// Drops the guard after the client's own request has unsubscribed at the server, so that no second request
    /// is sent.
    pub fn unsubscribed_by_client(self) {
        self.subscriptions.mark_unsubscribed(&self.uris);
    }
}

impl<Owner> Drop for SubscriptionGuard<Owner> {
    fn drop(&mut self) {
        self.subscriptions.remove(&self.uris);
    }
}
