//! The resources of an upstream whose updates somebody wants, and which of them it has taken.
//!
//! Who wants some holds [`Wishes`]. The connection's task brings the server in line with all of them
//! together, and does so again on every new connection. What two want is wanted until both let go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::handle::Upstream;
use super::live::ServerFacts;

/// What is wanted of one upstream, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    book: watch::Sender<Book>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    /// How many want each.
    wanted: HashMap<Arc<str>, usize>,
    /// What the server has taken, on the connection as it is.
    taken: HashSet<Arc<str>>,
    /// What it has refused, on the connection as it is.
    refused: HashSet<Arc<str>>,
    /// The connection that it was asked on; 0 while there is none.
    generation: u64,
    /// How often subscriptions were begun and done being ended.
    endings: u64,
}

impl Book {
    fn is_missing(&self, uri: &Arc<str>) -> bool {
        !self.taken.contains(uri) && !self.refused.contains(uri)
    }

    /// Whether what the server has taken is not what is wanted.
    pub(super) fn has_work(&self) -> bool {
        self.wanted.keys().any(|uri| self.is_missing(uri))
            || self.taken.iter().any(|uri| !self.wanted.contains_key(uri))
    }

    /// What is wanted of the server and was not refused by it.
    pub(super) fn asked(&self) -> Vec<Arc<str>> {
        let asked = self.wanted.keys();
        asked
            .filter(|uri| !self.refused.contains(*uri))
            .cloned()
            .collect()
    }

    fn let_go(&mut self, uri: &Arc<str>) {
        if let Some(count) = self.wanted.get_mut(uri) {
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(uri);
                self.refused.remove(uri);
            }
        }
    }
}

impl Wanted {
    /// Watches it.
    pub(super) fn watch(&self) -> watch::Receiver<Book> {
        self.book.subscribe()
    }

    /// There is another connection, or none (0): what the server had taken is void.
    pub(super) fn begin(&self, generation: u64) {
        self.book.send_modify(|book| {
            book.taken.clear();
            book.refused.clear();
            book.generation = generation;
            // What was being ended on the last connection ended with it.
            book.endings = book.endings.next_multiple_of(2);
        });
    }

    /// The server has forgotten everything.
    pub(super) fn lose(&self) {
        self.book.send_modify(|book| {
            book.taken.clear();
            book.refused.clear();
        });
    }

    /// What to ask for and what to give up, which does not count as taken any more.
    /// [`Self::gave_up`] is called when that is done.
    pub(super) fn take_work(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        self.book.send_if_modified(|book| {
            missing.extend(book.asked().into_iter().filter(|uri| book.is_missing(uri)));
            let wanted = &book.wanted;
            surplus.extend(book.taken.extract_if(|uri| !wanted.contains_key(uri)));
            book.endings += 1;
            !surplus.is_empty()
        });
        (missing, surplus)
    }

    pub(super) fn gave_up(&self) {
        self.book.send_if_modified(|book| {
            book.endings += 1;
            false
        });
    }

    /// What came of asking for `asked`: those that `is_taken` says, and the others are refused.
    pub(super) fn settle(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.book.send_modify(|book| {
            for uri in asked {
                if is_taken(uri) {
                    book.taken.insert(uri.clone());
                } else if book.wanted.contains_key(uri) && !book.taken.contains(uri) {
                    book.refused.insert(uri.clone());
                }
            }
        });
    }

    /// Asking for `asked` has failed, and what was taken before stays: what of it nobody wants any
    /// more the server goes on telling.
    pub(super) fn keep(&self, asked: &[Arc<str>]) {
        self.settle(asked, |_| false);
        self.book.send_modify(|book| {
            let wanted = &book.wanted;
            book.taken.retain(|uri| wanted.contains_key(uri));
        });
    }

    /// As [`Self::settle`], where all that was taken before is void.
    pub(super) fn replace(&self, asked: &[Arc<str>], is_taken: impl Fn(&Arc<str>) -> bool) {
        self.book.send_if_modified(|book| {
            book.taken.clear();
            false
        });
        self.settle(asked, is_taken);
    }

    /// Refuses what the server has not taken.
    pub(super) fn refuse_missing(&self) {
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
pub(super) fn takes_subscriptions(facts: &ServerFacts) -> bool {
    let declared = facts.capabilities.get("resources");
    declared.is_some_and(|declared| declared["subscribe"] == true)
}

/// When a client's own request went out, so that its success can be told from a later connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    generation: u64,
    endings: u64,
}

impl Upstream {
    /// Its place in the configuration.
    #[must_use]
    pub fn index(&self) -> usize {
        self.shared.index
    }

    /// Wants to hear of updates of these resources for as long as the wishes are held.
    #[must_use]
    pub fn want(&self, uris: Vec<Arc<str>>) -> Wishes {
        self.shared.wanted.book.send_modify(|book| {
            for uri in &uris {
                *book.wanted.entry(uri.clone()).or_default() += 1;
            }
        });
        Wishes {
            upstream: self.clone(),
            uris,
        }
    }

    /// As [`Self::want`], after a client's own request for it has succeeded, which went out
    /// at `mark`.
    #[must_use]
    pub fn want_as_asked(&self, uri: Arc<str>, mark: Mark) -> Wishes {
        let still = self.mark() == mark && mark.generation > 0;
        // An ending may be under way at an odd count, and undo what the request did.
        if still && mark.endings.is_multiple_of(2) {
            self.shared.wanted.book.send_if_modified(|book| {
                book.taken.insert(uri.clone());
                false
            });
        }
        self.want(vec![uri])
    }

    /// What to compare with when a request that is sent now has succeeded.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let book = self.shared.wanted.book.borrow();
        Mark {
            generation: book.generation,
            endings: book.endings,
        }
    }

    /// How many want to hear of updates of this resource.
    #[must_use]
    pub fn wanting(&self, uri: &str) -> usize {
        let book = self.shared.wanted.book.borrow();
        book.wanted.get(uri).copied().unwrap_or_default()
    }
}

/// A part in the wish for updates of some resources of one upstream; it ends when dropped.
#[derive(Debug)]
pub struct Wishes {
    upstream: Upstream,
    uris: Vec<Arc<str>>,
}

impl Wishes {
    /// Waits, no longer than `within`, until the server has taken or refused each. Lets go of those
    /// that it has not taken then.
    pub async fn settle(&mut self, within: Duration) {
        let wanted = &self.upstream.shared.wanted;
        let mut book = wanted.watch();
        let uris = &self.uris;
        let all = book.wait_for(|book| !uris.iter().any(|uri| book.is_missing(uri)));
        let _ = timeout(within, all).await;
        wanted.book.send_if_modified(|book| {
            let before = self.uris.len();
            self.uris.retain(|uri| {
                let is_taken = book.taken.contains(uri);
                if !is_taken {
                    book.let_go(uri);
                }
                is_taken
            });
            self.uris.len() < before
        });
    }

    /// What is wanted.
    #[must_use]
    pub fn uris(&self) -> &[Arc<str>] {
        &self.uris
    }

    /// Whose resources they are.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Lets go after the server was told by a request of the client's, so that nobody else tells it.
    pub fn ended_as_asked(self) {
        self.upstream.shared.wanted.book.send_if_modified(|book| {
            for uri in &self.uris {
                book.taken.remove(uri);
            }
            false
        });
    }
}

impl Drop for Wishes {
    fn drop(&mut self) {
        self.upstream.shared.wanted.book.send_modify(|book| {
            for uri in &self.uris {
                book.let_go(uri);
            }
        });
    }
}
