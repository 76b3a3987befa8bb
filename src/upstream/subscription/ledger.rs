//! The resource subscriptions of one upstream: which resources are subscribed, and the server's response for each.
//!
//! A [`SubscriptionGuard`](super::guard::SubscriptionGuard) subscribes to resources. The session's supervisor sends
//! the server the union of all guards, again on every new connection. A resource stays subscribed until its last
//! guard is dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

/// The resource subscriptions of one upstream.
#[derive(Debug, Default)]
pub struct Subscriptions {
    ledger: watch::Sender<SubscriptionLedger>,
}

/// The state of the subscriptions when a client's own request is sent.
///
/// The request's success counts only if the state is the same when the response arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    generation: u64,
    unsubscribe_count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct SubscriptionLedger {
    /// The number of guards of each resource.
    guard_counts: HashMap<Arc<str>, usize>,
    /// The resources that the server has acknowledged on this connection.
    acknowledged: HashSet<Arc<str>>,
    /// The resources that the server has rejected on this connection.
    rejected: HashSet<Arc<str>>,
    /// The resources whose request failed, until [`Subscriptions::retry_failed`].
    failed: HashSet<Arc<str>>,
    /// The generation of the connection; 0 without a connection.
    generation: u64,
    /// Counts each start and each end of unsubscribing: odd while it is in progress.
    unsubscribe_count: u64,
}

impl SubscriptionLedger {
    /// Returns `true` if the server has neither acknowledged nor rejected the resource.
    pub(crate) fn is_unanswered(&self, uri: &Arc<str>) -> bool {
        !self.acknowledged.contains(uri) && !self.rejected.contains(uri)
    }

    fn is_pending(&self, uri: &Arc<str>) -> bool {
        self.is_unanswered(uri) && !self.failed.contains(uri)
    }

    /// Returns `true` if there are resources to subscribe or unsubscribe now.
    pub(crate) fn has_changes(&self) -> bool {
        self.guard_counts.keys().any(|uri| self.is_pending(uri))
            || self
                .acknowledged
                .iter()
                .any(|uri| !self.guard_counts.contains_key(uri))
    }

    /// Returns `true` if there are failed requests to retry.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Returns the resources that have a guard and that the server has not rejected.
    pub(crate) fn uris(&self) -> Vec<Arc<str>> {
        let uris = self.guard_counts.keys();
        uris.filter(|uri| !self.rejected.contains(*uri))
            .cloned()
            .collect()
    }

    fn epoch(&self) -> Epoch {
        Epoch {
            generation: self.generation,
            unsubscribe_count: self.unsubscribe_count,
        }
    }

    fn remove(&mut self, uri: &Arc<str>) {
        if let Some(count) = self.guard_counts.get_mut(uri) {
            *count -= 1;
            if *count == 0 {
                self.guard_counts.remove(uri);
                self.rejected.remove(uri);
                self.failed.remove(uri);
            }
        }
    }
}

impl Subscriptions {
    /// Returns a receiver that is notified of changes to the ledger.
    pub(crate) fn watch(&self) -> watch::Receiver<SubscriptionLedger> {
        self.ledger.subscribe()
    }

    /// Returns the current epoch, for a client's own request that is sent now.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.ledger.borrow().epoch()
    }

    /// Returns the number of guards of this resource.
    #[must_use]
    pub fn count(&self, uri: &str) -> usize {
        let ledger = self.ledger.borrow();
        ledger.guard_counts.get(uri).copied().unwrap_or_default()
    }

    /// Adds a guard to each resource.
    pub(crate) fn add(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                *ledger.guard_counts.entry(uri.clone()).or_default() += 1;
            }
        });
    }

    /// Removes a guard from each resource.
    pub(crate) fn remove(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                ledger.remove(uri);
            }
        });
    }

    /// Removes each resource that the server has not acknowledged from `uris`, and a guard of it from the ledger.
    pub(crate) fn retain_acknowledged(&self, uris: &mut Vec<Arc<str>>) {
        self.ledger.send_if_modified(|ledger| {
            let before = uris.len();
            uris.retain(|uri| {
                let is_acknowledged = ledger.acknowledged.contains(uri);
                if !is_acknowledged {
                    ledger.remove(uri);
                }
                is_acknowledged
            });
            uris.len() < before
        });
    }

    /// Records that a client's own request, sent at `epoch`, has subscribed to this resource.
    pub(crate) fn mark_subscribed(&self, uri: &Arc<str>, epoch: Epoch) {
        let is_same = self.epoch() == epoch && epoch.generation > 0;
        // At an odd count, an unsubscribe request in progress may undo the client's request.
        if is_same && epoch.unsubscribe_count.is_multiple_of(2) {
            self.ledger.send_if_modified(|ledger| {
                ledger.acknowledged.insert(uri.clone());
                false
            });
        }
    }

    /// Records that a client's own request has unsubscribed from these resources.
    pub(crate) fn mark_unsubscribed(&self, uris: &[Arc<str>]) {
        self.ledger.send_if_modified(|ledger| {
            for uri in uris {
                ledger.acknowledged.remove(uri);
            }
            false
        });
    }

    /// Resets the ledger for a new connection, or for none (0): subscriptions end with the connection.
    pub(crate) fn reset_for_connection(&self, generation: u64) {
        self.ledger.send_modify(|ledger| {
            ledger.acknowledged.clear();
            ledger.rejected.clear();
            ledger.failed.clear();
            ledger.generation = generation;
            // Unsubscribing ended with the previous connection.
            ledger.unsubscribe_count = ledger.unsubscribe_count.next_multiple_of(2);
        });
    }

    /// Clears all of the server's responses: it has lost its subscriptions.
    pub(crate) fn clear(&self) {
        self.ledger.send_modify(|ledger| {
            ledger.acknowledged.clear();
            ledger.rejected.clear();
            ledger.failed.clear();
        });
    }

    /// Returns the resources to subscribe and to unsubscribe. The latter no longer count as acknowledged.
    ///
    /// Call [`Self::mark_unsubscribe_done`] after unsubscribing.
    pub(crate) fn take_changes(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        self.ledger.send_if_modified(|ledger| {
            let uris = ledger.uris().into_iter();
            missing.extend(uris.filter(|uri| ledger.is_pending(uri)));
            let has_no_guard = |uri: &Arc<str>| !ledger.guard_counts.contains_key(uri);
            surplus.extend(ledger.acknowledged.extract_if(has_no_guard));
            ledger.unsubscribe_count += 1;
            !surplus.is_empty()
        });
        (missing, surplus)
    }

    /// Records the end of unsubscribing.
    pub(crate) fn mark_unsubscribe_done(&self) {
        self.ledger.send_if_modified(|ledger| {
            ledger.unsubscribe_count += 1;
            false
        });
    }

    /// Records the server's response for `uris`: acknowledged if `is_acknowledged` returns `true`, else rejected.
    pub(crate) fn record_results(
        &self,
        uris: &[Arc<str>],
        is_acknowledged: impl Fn(&Arc<str>) -> bool,
    ) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                ledger.failed.remove(uri);
                if is_acknowledged(uri) {
                    ledger.acknowledged.insert(uri.clone());
                } else if ledger.guard_counts.contains_key(uri)
                    && !ledger.acknowledged.contains(uri)
                {
                    ledger.rejected.insert(uri.clone());
                }
            }
        });
    }

    /// Records that the server rejected `uris`. Its previous subscription stays, so that it still sends updates of
    /// resources without a guard.
    pub(crate) fn reject(&self, uris: &[Arc<str>]) {
        self.record_results(uris, |_| false);
        self.retain_held();
    }

    /// Records that the request for `uris` failed, until [`Self::retry_failed`]. Otherwise as [`Self::reject`].
    pub(crate) fn postpone(&self, uris: &[Arc<str>]) {
        self.mark_failed(uris);
        self.retain_held();
    }

    /// Removes acknowledged resources without a guard, so that nothing is left to unsubscribe.
    fn retain_held(&self) {
        self.ledger.send_modify(|ledger| {
            let counts = &ledger.guard_counts;
            ledger.acknowledged.retain(|uri| counts.contains_key(uri));
        });
    }

    /// Records that the requests for these resources failed with a transient error.
    pub(crate) fn mark_failed(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                if ledger.guard_counts.contains_key(uri) && ledger.is_unanswered(uri) {
                    ledger.failed.insert(uri.clone());
                }
            }
        });
    }

    /// Makes failed requests pending again.
    pub(crate) fn retry_failed(&self) {
        self.ledger.send_modify(|ledger| ledger.failed.clear());
    }

    /// Replaces everything acknowledged before. Otherwise as [`Self::record_results`].
    pub(crate) fn replace_acknowledged(
        &self,
        uris: &[Arc<str>],
        is_acknowledged: impl Fn(&Arc<str>) -> bool,
    ) {
        self.ledger.send_if_modified(|ledger| {
            ledger.acknowledged.clear();
            false
        });
        self.record_results(uris, is_acknowledged);
    }

    /// Records all unanswered resources as rejected.
    pub(crate) fn reject_unanswered(&self) {
        self.ledger.send_if_modified(|ledger| {
            let uris: Vec<_> = ledger.guard_counts.keys().cloned().collect();
            let unanswered = uris.into_iter().filter(|uri| ledger.is_unanswered(uri));
            let unanswered: Vec<_> = unanswered.collect();
            let has_any = !unanswered.is_empty();
            ledger.rejected.extend(unanswered);
            has_any
        });
    }
}
