//! Counts the bytes that the clients have not read yet. Above a limit, responses are not read from the
//! upstreams. They then wait at the servers instead of in memory.
//!
//! Each client has a [`SendBuffer`], and all of them share the [`SendBudget`] of the process. A client that does
//! not read delays the responses to its own requests only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The minimum share of one client in bytes, for any number of clients.
const MIN_SHARE: usize = 256 << 10;

/// The number of bytes that all clients of the process together may leave unread.
// SeqCst: if a share grows while a buffer drains, one of the two threads must see the other's change.
#[derive(Debug)]
pub struct SendBudget {
    limit: usize,
    unread: AtomicUsize,
    clients: AtomicUsize,
    drained: Notify,
}

impl SendBudget {
    /// Returns a budget of about `limit` unread bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            unread: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
            drained: Notify::new(),
        })
    }

    /// Returns an empty send buffer for one more client.
    #[must_use]
    pub fn add_client(self: &Arc<Self>) -> Arc<SendBuffer> {
        Arc::new(SendBuffer::new(self.clone()))
    }

    /// Returns `true` if more messages for all clients may be read.
    pub(crate) fn is_open(&self) -> bool {
        self.unread.load(Ordering::SeqCst) < self.limit
    }

    /// Resolves after bytes have drained since this call.
    pub(crate) fn drained(&self) -> Notified<'_> {
        self.drained.notified()
    }

    /// The bytes that one client may leave unread: the whole budget if it is the only client.
    fn share(&self) -> usize {
        let clients = self.clients.load(Ordering::SeqCst).max(1);
        (self.limit / clients).max(self.min_share())
    }

    /// The bytes that one client may leave unread regardless of the others.
    fn min_share(&self) -> usize {
        MIN_SHARE.min(self.limit)
    }
}

/// The number of bytes that one client has not read.
#[derive(Debug)]
pub struct SendBuffer {
    budget: Arc<SendBudget>,
    unread: AtomicUsize,
}

impl SendBuffer {
    fn new(budget: Arc<SendBudget>) -> Self {
        budget.clients.fetch_add(1, Ordering::SeqCst);
        Self {
            budget,
            unread: AtomicUsize::new(0),
        }
    }

    /// Adds bytes that were queued for the client.
    pub fn add(&self, bytes: usize) {
        self.unread.fetch_add(bytes, Ordering::SeqCst);
        self.budget.unread.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Subtracts bytes that the client has read, or that were dropped.
    pub fn sub(&self, bytes: usize) {
        let before = self.unread.fetch_sub(bytes, Ordering::SeqCst);
        let sum = self.budget.unread.fetch_sub(bytes, Ordering::SeqCst);
        let crosses = |before: usize, limit| before >= limit && before - bytes < limit;
        let own = [self.budget.min_share(), self.budget.share()];
        if own.iter().any(|limit| crosses(before, *limit)) || crosses(sum, self.budget.limit) {
            self.budget.drained.notify_waiters();
        }
    }

    /// Returns `true` if more may be read for this client.
    ///
    /// The minimum share stays open when others have used up the budget. They can exceed it by a large response,
    /// or by bytes queued before this client connected.
    pub(crate) fn is_open(&self) -> bool {
        let unread = self.unread.load(Ordering::SeqCst);
        unread < self.budget.min_share() || unread < self.budget.share() && self.budget.is_open()
    }
}

impl Default for SendBuffer {
    /// Returns the buffer of a single client without a limit.
    fn default() -> Self {
        Self::new(SendBudget::new(usize::MAX))
    }
}

impl Drop for SendBuffer {
    /// Returns the client's bytes to the budget; the shares of the others grow.
    fn drop(&mut self) {
        self.budget
            .unread
            .fetch_sub(*self.unread.get_mut(), Ordering::SeqCst);
        self.budget.clients.fetch_sub(1, Ordering::SeqCst);
        self.budget.drained.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn a_single_client_may_use_the_whole_budget() {
        let budget = SendBudget::new(10);
        let client = budget.add_client();
        client.add(9);
        assert!(client.is_open() && budget.is_open());
        client.add(1);
        assert!(!client.is_open() && !budget.is_open());
        client.sub(1);
        assert!(client.is_open() && budget.is_open());
    }

    #[test]
    fn a_used_up_budget_leaves_each_client_the_minimum_share() {
        let budget = SendBudget::new(MIB);
        let idle = budget.add_client();
        idle.add(2 * MIB);
        let other = budget.add_client();
        assert!(!idle.is_open() && !budget.is_open() && other.is_open());
        other.add(MIN_SHARE);
        assert!(!other.is_open());
    }

    #[test]
    fn a_client_that_does_not_read_leaves_the_others_their_share() {
        let budget = SendBudget::new(8 * MIB);
        let (idle, other) = (budget.add_client(), budget.add_client());
        idle.add(4 * MIB);
        assert!(!idle.is_open());
        assert!(other.is_open() && budget.is_open());
        other.add(4 * MIB - 1);
        assert!(other.is_open() && budget.is_open());
        // The budget limits their sum.
        idle.add(1);
        assert!(!other.is_open() && !budget.is_open());
    }

    #[test]
    fn a_client_that_leaves_returns_its_bytes_and_its_share() {
        let budget = SendBudget::new(8 * MIB);
        let (leaving, other) = (budget.add_client(), budget.add_client());
        leaving.add(4 * MIB);
        other.add(5 * MIB);
        assert!(!other.is_open() && !budget.is_open());
        drop(leaving);
        assert!(other.is_open() && budget.is_open());
        other.sub(5 * MIB);
    }

    #[test]
    fn many_clients_have_a_minimum_share_each() {
        let budget = SendBudget::new(8 * MIB);
        let clients: Vec<_> = (0..1000).map(|_| budget.add_client()).collect();
        clients[0].add(MIN_SHARE - 1);
        assert!(clients[0].is_open());
        clients[0].add(1);
        assert!(!clients[0].is_open() && clients[1].is_open());
    }
}
