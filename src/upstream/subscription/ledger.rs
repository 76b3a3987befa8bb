//! The resources of one upstream whose updates are subscribed to, and which of them the server has acknowledged.
//!
//! A [`SubscriptionGuard`](super::guard::SubscriptionGuard) subscribes to some. The session's task brings the
//! server in line with all guards together, and does so again on every new connection. What two guards
//! hold stays until both are dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

/// The resources of one upstream that are subscribed to, and what the server made of that.
#[derive(Debug, Default)]
pub struct Subscriptions {
    ledger: watch::Sender<SubscriptionLedger>,
}

/// The time at which a client's own request goes out, so that its success can be told from a later connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    generation: u64,
    unsubscribe_count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct SubscriptionLedger {
    /// How many guards hold each.
    guard_counts: HashMap<Arc<str>, usize>,
    /// What the server has taken, on the connection as it is.
    acknowledged: HashSet<Arc<str>>,
    /// What the server has refused, on the connection as it is.
    rejected: HashSet<Arc<str>>,
    /// What could not be asked for, and is not until it is tried again.
    failed: HashSet<Arc<str>>,
    /// The connection that it was asked on; 0 while there is none.
    generation: u64,
    /// How often unsubscribing began and ended.
    unsubscribe_count: u64,
}

impl SubscriptionLedger {
    pub(crate) fn is_unanswered(&self, uri: &Arc<str>) -> bool {
        !self.acknowledged.contains(uri) && !self.rejected.contains(uri)
    }

    fn is_pending(&self, uri: &Arc<str>) -> bool {
        self.is_unanswered(uri) && !self.failed.contains(uri)
    }

    /// Returns `true` if what the server has taken is not what is wanted, but for what has to wait.
    pub(crate) fn has_changes(&self) -> bool {
        self.guard_counts.keys().any(|uri| self.is_pending(uri))
            || self
                .acknowledged
                .iter()
                .any(|uri| !self.guard_counts.contains_key(uri))
    }

    /// Returns `true` if something is to be tried again.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Returns what is wanted of the server and was not refused by it.
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
    /// Watches the ledger.
    pub(crate) fn watch(&self) -> watch::Receiver<SubscriptionLedger> {
        self.ledger.subscribe()
    }

    /// Returns what to compare with when a client's own request that is sent now has succeeded.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.ledger.borrow().epoch()
    }

    /// Counts the guards that hold this resource.
    #[must_use]
    pub fn count(&self, uri: &str) -> usize {
        let ledger = self.ledger.borrow();
        ledger.guard_counts.get(uri).copied().unwrap_or_default()
    }

    /// One guard more holds each of these.
    pub(crate) fn add(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                *ledger.guard_counts.entry(uri.clone()).or_default() += 1;
            }
        });
    }

    /// One guard less holds each of these.
    pub(crate) fn remove(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                ledger.remove(uri);
            }
        });
    }

    /// Removes from `uris`, and from what their guard holds, each that the server has not acknowledged.
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

    /// A client's own request, sent at `epoch`, has subscribed to this resource.
    pub(crate) fn mark_subscribed(&self, uri: &Arc<str>, epoch: Epoch) {
        let is_same = self.epoch() == epoch && epoch.generation > 0;
        // Unsubscribing may be under way at an odd count, and undo what the request did.
        if is_same && epoch.unsubscribe_count.is_multiple_of(2) {
            self.ledger.send_if_modified(|ledger| {
                ledger.acknowledged.insert(uri.clone());
                false
            });
        }
    }

    /// A client's own request has unsubscribed from these.
    pub(crate) fn mark_unsubscribed(&self, uris: &[Arc<str>]) {
        self.ledger.send_if_modified(|ledger| {
            for uri in uris {
                ledger.acknowledged.remove(uri);
            }
            false
        });
    }

    /// There is another connection, or none (0): what the server had taken is void.
    pub(crate) fn reset_for_connection(&self, generation: u64) {
        self.ledger.send_modify(|ledger| {
            ledger.acknowledged.clear();
            ledger.rejected.clear();
            ledger.failed.clear();
            ledger.generation = generation;
            // Unsubscribing on the last connection ended with it.
            ledger.unsubscribe_count = ledger.unsubscribe_count.next_multiple_of(2);
        });
    }

    /// The server has forgotten everything.
    pub(crate) fn clear(&self) {
        self.ledger.send_modify(|ledger| {
            ledger.acknowledged.clear();
            ledger.rejected.clear();
            ledger.failed.clear();
        });
    }

    /// Returns what to subscribe to and what to unsubscribe from, which does not count as taken any more.
    /// [`Self::mark_unsubscribe_done`] is called when that is done.
    pub(crate) fn take_changes(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        self.ledger.send_if_modified(|ledger| {
            missing.extend(
                ledger
                    .uris()
                    .into_iter()
                    .filter(|uri| ledger.is_pending(uri)),
            );
            let guard_counts = &ledger.guard_counts;
            surplus.extend(
                ledger
                    .acknowledged
                    .extract_if(|uri| !guard_counts.contains_key(uri)),
            );
            ledger.unsubscribe_count += 1;
            !surplus.is_empty()
        });
        (missing, surplus)
    }

    pub(crate) fn mark_unsubscribe_done(&self) {
        self.ledger.send_if_modified(|ledger| {
            ledger.unsubscribe_count += 1;
            false
        });
    }

    /// The server has answered for `asked`: it takes those of which `is_acknowledged` says so, and refuses the others.
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

    /// The server has refused `asked`, and what was taken before stays. It goes on sending updates of
    /// what no guard holds any more.
    pub(crate) fn reject(&self, uris: &[Arc<str>]) {
        self.record_results(uris, |_| false);
        self.retain_held();
    }

    /// As [`Self::reject`], where asking has failed: it waits for [`Self::retry_failed`].
    pub(crate) fn postpone(&self, uris: &[Arc<str>]) {
        self.mark_failed(uris);
        self.retain_held();
    }

    fn retain_held(&self) {
        self.ledger.send_modify(|ledger| {
            let guard_counts = &ledger.guard_counts;
            ledger
                .acknowledged
                .retain(|uri| guard_counts.contains_key(uri));
        });
    }

    /// Asking for these has failed in a way that passes.
    pub(crate) fn mark_failed(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                if ledger.guard_counts.contains_key(uri) && ledger.is_unanswered(uri) {
                    ledger.failed.insert(uri.clone());
                }
            }
        });
    }

    /// What has failed is asked for again.
    pub(crate) fn retry_failed(&self) {
        self.ledger.send_modify(|ledger| ledger.failed.clear());
    }

    /// As [`Self::record_results`], where all that was taken before is void.
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

    /// Refuses what the server has not acknowledged.
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
