//! Keeps resources subscribed for as long as somebody holds the guard.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::ledger::Subscriptions;

/// Keeps resources of one upstream subscribed, and their owner in use, until it is dropped.
#[derive(Debug)]
pub struct SubscriptionGuard<Owner> {
    owner: Owner,
    subscriptions: Arc<Subscriptions>,
    uris: Vec<Arc<str>>,
}

impl<Owner> SubscriptionGuard<Owner> {
    /// Subscribes to updates of these resources of `owner`.
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

    /// Waits, no longer than `within`, until the server has taken or refused each. Unsubscribes from those
    /// that it has not taken then.
    pub async fn wait_until_acknowledged(&mut self, within: Duration) {
        let mut ledger = self.subscriptions.watch();
        let uris = &self.uris;
        let all = ledger.wait_for(|ledger| !uris.iter().any(|uri| ledger.is_unanswered(uri)));
        let _ = timeout(within, all).await;
        self.subscriptions.retain_acknowledged(&mut self.uris);
    }

    /// Returns the resources.
    #[must_use]
    pub fn uris(&self) -> &[Arc<str>] {
        &self.uris
    }

    /// Returns the upstream whose resources they are.
    #[must_use]
    pub fn upstream(&self) -> &Owner {
        &self.owner
    }

    /// Unsubscribes after a request of the client's has done so at the server, which is sent no other.
    pub fn unsubscribed_by_client(self) {
        self.subscriptions.mark_unsubscribed(&self.uris);
    }
}

impl<Owner> Drop for SubscriptionGuard<Owner> {
    fn drop(&mut self) {
        self.subscriptions.remove(&self.uris);
    }
}
