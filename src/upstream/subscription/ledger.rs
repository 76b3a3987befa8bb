//! The resources of an upstream whose updates somebody wants, and which of them it has taken.
//!
//! Who wants some holds [`SubscriptionGuard`](super::guard::SubscriptionGuard). The connection's task brings the server in line with all of them
//! together, and does so again on every new connection. What two want is wanted until both let go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::protocol::ServerProfile;

/// What is wanted of one upstream, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) book: watch::Sender<SubscriptionLedger>,
}

#[derive(Debug, Default)]
pub(crate) struct SubscriptionLedger {
    /// How many want each.
    pub(crate) wanted: HashMap<Arc<str>, usize>,
    /// What the server has taken, on the connection as it is.
    pub(crate) taken: HashSet<Arc<str>>,
    /// What it has refused, on the connection as it is.
    refused: HashSet<Arc<str>>,
    /// What could not be asked for, and is not until it is tried again.
    failed: HashSet<Arc<str>>,
    /// The connection that it was asked on; 0 while there is none.
    pub(crate) generation: u64,
    /// How often subscriptions were begun and done being ended.
    pub(crate) endings: u64,
}

impl SubscriptionLedger {
    pub(crate) fn is_missing(&self, uri: &Arc<str>) -> bool {
        !self.taken.contains(uri) && !self.refused.contains(uri)
    }

    fn is_due(&self, uri: &Arc<str>) -> bool {
        self.is_missing(uri) && !self.failed.contains(uri)
    }

    /// Whether what the server has taken is not what is wanted, but for what has to wait.
    pub(crate) fn has_work(&self) -> bool {
        self.wanted.keys().any(|uri| self.is_due(uri))
            || self.taken.iter().any(|uri| !self.wanted.contains_key(uri))
    }

    /// Whether something is to be tried again.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// What is wanted of the server and was not refused by it.
    pub(crate) fn asked(&self) -> Vec<Arc<str>> {
        let asked = self.wanted.keys();
        asked
            .filter(|uri| !self.refused.contains(*uri))
            .cloned()
            .collect()
    }

    pub(crate) fn let_go(&mut self, uri: &Arc<str>) {
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
    /// Watches it.
    pub(crate) fn watch(&self) -> watch::Receiver<SubscriptionLedger> {
        self.book.subscribe()
    }

    /// There is another connection, or none (0): what the server had taken is void.
    pub(crate) fn begin(&self, generation: u64) {
        self.book.send_modify(|book| {
            book.taken.clear();
            book.refused.clear();
            book.failed.clear();
            book.generation = generation;
            // What was being ended on the last connection ended with it.
            book.endings = book.endings.next_multiple_of(2);
        });
    }

    /// The server has forgotten everything.
    pub(crate) fn lose(&self) {
        self.book.send_modify(|book| {
            book.taken.clear();
            book.refused.clear();
            book.failed.clear();
        });
    }

    /// What to ask for and what to give up, which does not count as taken any more.
    /// [`Self::gave_up`] is called when that is done.
    pub(crate) fn take_work(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        self.book.send_if_modified(|book| {
            missing.extend(book.asked().into_iter().filter(|uri| book.is_due(uri)));
            let wanted = &book.wanted;
            surplus.extend(book.taken.extract_if(|uri| !wanted.contains_key(uri)));
            book.endings += 1;
            !surplus.is_empty()
        });
        (missing, surplus)
    }

    pub(crate) fn gave_up(&self) {
        self.book.send_if_modified(|book| {
            book.endings += 1;
            false
        });
    }

    /// What came of asking for `asked`: those that `is_taken` says, and the others are refused.
    pub(crate) fn settle(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.book.send_modify(|book| {
            for uri in asked {
                book.failed.remove(uri);
                if is_taken(uri) {
                    book.taken.insert(uri.clone());
                } else if book.wanted.contains_key(uri) && !book.taken.contains(uri) {
                    book.refused.insert(uri.clone());
                }
            }
        });
    }

    /// The server has refused `asked`, and what was taken before stays: what of it nobody wants any
    /// more the server goes on telling.
    pub(crate) fn keep(&self, asked: &[Arc<str>]) {
        self.settle(asked, |_| false);
        self.keep_taken();
    }

    /// As [`Self::keep`], where asking has failed: it waits for [`Self::retry`].
    pub(crate) fn postpone(&self, asked: &[Arc<str>]) {
        self.fail(asked);
        self.keep_taken();
    }

    fn keep_taken(&self) {
        self.book.send_modify(|book| {
            let wanted = &book.wanted;
            book.taken.retain(|uri| wanted.contains_key(uri));
        });
    }

    /// Asking for these has failed in a way that passes.
    pub(crate) fn fail(&self, asked: &[Arc<str>]) {
        self.book.send_modify(|book| {
            for uri in asked {
                if book.wanted.contains_key(uri) && book.is_missing(uri) {
                    book.failed.insert(uri.clone());
                }
            }
        });
    }

    /// What has failed is asked for again.
    pub(crate) fn retry(&self) {
        self.book.send_modify(|book| book.failed.clear());
    }

    /// As [`Self::settle`], where all that was taken before is void.
    pub(crate) fn replace(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.book.send_if_modified(|book| {
            book.taken.clear();
            false
        });
        self.settle(asked, is_taken);
    }

    /// Refuses what the server has not taken.
    pub(crate) fn refuse_missing(&self) {
        self.book.send_if_modified(|book| {
            let missing: Vec<_> = book.wanted.keys().cloned().collect();
            let missing = missing.into_iter().filter(|uri| book.is_missing(uri));
            let missing: Vec<_> = missing.collect();
            let any = !missing.is_empty();
            book.refused.extend(missing);
            any
        });
    }
}

/// Whether a server declares that it tells of updates of single resources.
pub(crate) fn takes_subscriptions(facts: &ServerProfile) -> bool {
    let declared = facts.capabilities.get("resources");
    declared.is_some_and(|declared| declared["subscribe"] == true)
}
