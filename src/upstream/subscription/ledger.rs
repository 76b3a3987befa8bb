//! The resources of one upstream whose updates are subscribed to, and which of them the server has taken.
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
    wanted: HashMap<Arc<str>, usize>,
    /// What the server has taken, on the connection as it is.
    taken: HashSet<Arc<str>>,
    /// What the server has refused, on the connection as it is.
    refused: HashSet<Arc<str>>,
    /// What could not be asked for, and is not until it is tried again.
    failed: HashSet<Arc<str>>,
    /// The connection that it was asked on; 0 while there is none.
    generation: u64,
    /// How often unsubscribing began and ended.
    unsubscribe_count: u64,
}

impl SubscriptionLedger {
    pub(crate) fn is_missing(&self, uri: &Arc<str>) -> bool {
        !self.taken.contains(uri) && !self.refused.contains(uri)
    }

    fn is_due(&self, uri: &Arc<str>) -> bool {
        self.is_missing(uri) && !self.failed.contains(uri)
    }

    /// Returns `true` if what the server has taken is not what is wanted, but for what has to wait.
    pub(crate) fn has_work(&self) -> bool {
        self.wanted.keys().any(|uri| self.is_due(uri))
            || self.taken.iter().any(|uri| !self.wanted.contains_key(uri))
    }

    /// Returns `true` if something is to be tried again.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Returns what is wanted of the server and was not refused by it.
    pub(crate) fn asked(&self) -> Vec<Arc<str>> {
        let asked = self.wanted.keys();
        asked
            .filter(|uri| !self.refused.contains(*uri))
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
        if let Some(count) = self.wanted.get_mut(uri) {
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(uri);
                self.refused.remove(uri);
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
        ledger.wanted.get(uri).copied().unwrap_or_default()
    }

    /// One guard more holds each of these.
    pub(crate) fn add(&self, uris: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in uris {
                *ledger.wanted.entry(uri.clone()).or_default() += 1;
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

    /// Removes from `uris`, and from what their guard holds, each that the server has not taken.
    pub(crate) fn retain_taken(&self, uris: &mut Vec<Arc<str>>) {
        self.ledger.send_if_modified(|ledger| {
            let before = uris.len();
            uris.retain(|uri| {
                let is_taken = ledger.taken.contains(uri);
                if !is_taken {
                    ledger.remove(uri);
                }
                is_taken
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
                ledger.taken.insert(uri.clone());
                false
            });
        }
    }

    /// A client's own request has unsubscribed from these.
    pub(crate) fn mark_unsubscribed(&self, uris: &[Arc<str>]) {
        self.ledger.send_if_modified(|ledger| {
            for uri in uris {
                ledger.taken.remove(uri);
            }
            false
        });
    }

    /// There is another connection, or none (0): what the server had taken is void.
    pub(crate) fn begin(&self, generation: u64) {
        self.ledger.send_modify(|ledger| {
            ledger.taken.clear();
            ledger.refused.clear();
            ledger.failed.clear();
            ledger.generation = generation;
            // Unsubscribing on the last connection ended with it.
            ledger.unsubscribe_count = ledger.unsubscribe_count.next_multiple_of(2);
        });
    }

    /// The server has forgotten everything.
    pub(crate) fn clear(&self) {
        self.ledger.send_modify(|ledger| {
            ledger.taken.clear();
            ledger.refused.clear();
            ledger.failed.clear();
        });
    }

    /// Returns what to subscribe to and what to unsubscribe from, which does not count as taken any more.
    /// [`Self::mark_unsubscribe_done`] is called when that is done.
    pub(crate) fn take_work(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        self.ledger.send_if_modified(|ledger| {
            missing.extend(ledger.asked().into_iter().filter(|uri| ledger.is_due(uri)));
            let wanted = &ledger.wanted;
            surplus.extend(ledger.taken.extract_if(|uri| !wanted.contains_key(uri)));
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

    /// The server has answered for `asked`: it takes those of which `is_taken` says so, and refuses the others.
    pub(crate) fn record_answers(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.ledger.send_modify(|ledger| {
            for uri in asked {
                ledger.failed.remove(uri);
                if is_taken(uri) {
                    ledger.taken.insert(uri.clone());
                } else if ledger.wanted.contains_key(uri) && !ledger.taken.contains(uri) {
                    ledger.refused.insert(uri.clone());
                }
            }
        });
    }

    /// The server has refused `asked`, and what was taken before stays. It goes on sending updates of
    /// what no guard holds any more.
    pub(crate) fn refuse(&self, asked: &[Arc<str>]) {
        self.record_answers(asked, |_| false);
        self.keep_taken();
    }

    /// As [`Self::refuse`], where asking has failed: it waits for [`Self::retry`].
    pub(crate) fn postpone(&self, asked: &[Arc<str>]) {
        self.fail(asked);
        self.keep_taken();
    }

    fn keep_taken(&self) {
        self.ledger.send_modify(|ledger| {
            let wanted = &ledger.wanted;
            ledger.taken.retain(|uri| wanted.contains_key(uri));
        });
    }

    /// Asking for these has failed in a way that passes.
    pub(crate) fn fail(&self, asked: &[Arc<str>]) {
        self.ledger.send_modify(|ledger| {
            for uri in asked {
                if ledger.wanted.contains_key(uri) && ledger.is_missing(uri) {
                    ledger.failed.insert(uri.clone());
                }
            }
        });
    }

    /// What has failed is asked for again.
    pub(crate) fn retry(&self) {
        self.ledger.send_modify(|ledger| ledger.failed.clear());
    }

    /// As [`Self::record_answers`], where all that was taken before is void.
    pub(crate) fn replace(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.ledger.send_if_modified(|ledger| {
            ledger.taken.clear();
            false
        });
        self.record_answers(asked, is_taken);
    }

    /// Refuses what the server has not taken.
    pub(crate) fn refuse_missing(&self) {
        self.ledger.send_if_modified(|ledger| {
            let missing: Vec<_> = ledger.wanted.keys().cloned().collect();
            let missing = missing.into_iter().filter(|uri| ledger.is_missing(uri));
            let missing: Vec<_> = missing.collect();
            let any = !missing.is_empty();
            ledger.refused.extend(missing);
            any
        });
    }
}
