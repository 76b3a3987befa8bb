//! Who wants some resources holds [`SubscriptionGuard`] for as long as they are wanted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::upstream::handle::Upstream;

/// When a client's own request went out, so that its success can be told from a later connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    generation: u64,
    endings: u64,
}

impl Upstream {
    /// Wants to hear of updates of these resources for as long as the wishes are held.
    #[must_use]
    pub fn want(&self, uris: Vec<Arc<str>>) -> SubscriptionGuard {
        self.shared.wanted.book.send_modify(|book| {
            for uri in &uris {
                *book.wanted.entry(uri.clone()).or_default() += 1;
            }
        });
        SubscriptionGuard {
            upstream: self.clone(),
            uris,
        }
    }

    /// As [`Self::want`], after a client's own request for it has succeeded, which went out
    /// at `mark`.
    #[must_use]
    pub fn want_as_asked(&self, uri: Arc<str>, mark: Epoch) -> SubscriptionGuard {
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
    pub fn mark(&self) -> Epoch {
        let book = self.shared.wanted.book.borrow();
        Epoch {
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
pub struct SubscriptionGuard {
    upstream: Upstream,
    uris: Vec<Arc<str>>,
}

impl SubscriptionGuard {
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

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        self.upstream.shared.wanted.book.send_modify(|book| {
            for uri in &self.uris {
                book.let_go(uri);
            }
        });
    }
}
