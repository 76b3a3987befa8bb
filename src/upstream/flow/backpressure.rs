//! Backpressure on one upstream: whether more of its answers may be read.

use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::send_buffer::{SendBudget, SendBuffer};
use crate::sync::Mutex;

/// From this size on, in bytes, a message needs one of the few permits for large ones.
pub(crate) const LARGE: usize = 256 << 10;

/// How many large messages are read of one upstream at a time for one client. All that has arrived of
/// each is in memory, and more of them at once would arrive no sooner.
const LARGE_AT_ONCE: usize = 8;

/// The gate through which one upstream's answers are read. An answer to a client's request depends on the
/// client's send buffer; anything else depends on the process-wide budget alone.
#[derive(Debug)]
pub(crate) struct ReadGate {
    budget: Arc<SendBudget>,
    /// The permits for messages to no client.
    large: Arc<Semaphore>,
    /// The permits of each client: messages that wait for one client must not keep another waiting.
    large_by_client: Mutex<Vec<(Weak<SendBuffer>, Arc<Semaphore>)>>,
}

impl ReadGate {
    pub(crate) fn new(budget: Arc<SendBudget>) -> Self {
        Self {
            budget,
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            large_by_client: Mutex::default(),
        }
    }

    /// Returns `true` if more may be read now.
    pub(crate) fn is_open(&self, client: Option<&Arc<SendBuffer>>) -> bool {
        match client {
            Some(client) => client.is_open(),
            None => self.budget.is_open(),
        }
    }

    /// Waits until more may be read; returns whether that took time.
    pub(crate) async fn ready(&self, client: Option<&Arc<SendBuffer>>) -> bool {
        // Nearly always, and on the path of every answer.
        if self.is_open(client) {
            return false;
        }
        Box::pin(self.opened(client)).await;
        true
    }

    async fn opened(&self, client: Option<&Arc<SendBuffer>>) {
        loop {
            let drained = self.budget.drained();
            if self.is_open(client) {
                return;
            }
            drained.await;
        }
    }

    /// Waits until one more large message may be read.
    pub(crate) async fn large(&self, client: Option<&Arc<SendBuffer>>) -> LargeBodyPermit {
        let permits = match client {
            Some(client) => self.permits_of(client),
            None => self.large.clone(),
        };
        // Never fails: the semaphore is not closed.
        LargeBodyPermit(permits.acquire_owned().await.ok())
    }

    fn permits_of(&self, client: &Arc<SendBuffer>) -> Arc<Semaphore> {
        let mut all = self.large_by_client.lock();
        let is_own = |of: &Weak<SendBuffer>| std::ptr::eq(of.as_ptr(), Arc::as_ptr(client));
        if let Some((_, permits)) = all.iter().find(|(of, _)| is_own(of)) {
            return permits.clone();
        }
        all.retain(|(of, _)| of.upgrade().is_some());
        let permits = Arc::new(Semaphore::new(LARGE_AT_ONCE));
        all.push((Arc::downgrade(client), permits.clone()));
        permits
    }
}

/// The permit of a large message that is being read.
#[derive(Debug)]
pub(crate) struct LargeBodyPermit(
    #[allow(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>,
);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn it_opens_when_the_client_has_read_enough() {
        let budget = SendBudget::new(10);
        let (gate, client) = (ReadGate::new(budget.clone()), budget.add_client());
        for of in [None, Some(&client)] {
            client.add(9);
            assert!(gate.ready(of).now_or_never().is_some());
            client.add(91);
            let mut ready = Box::pin(gate.ready(of));
            assert!((&mut ready).now_or_never().is_none());
            client.sub(90);
            assert!((&mut ready).now_or_never().is_none());
            client.sub(1);
            assert!(ready.now_or_never().is_some());
            client.sub(9);
        }
    }

    #[test]
    fn it_opens_for_the_others_when_a_client_leaves() {
        let budget = SendBudget::new(2 << 20);
        let gate = ReadGate::new(budget.clone());
        let (leaving, client) = (budget.add_client(), budget.add_client());
        client.add(1 << 20);
        let mut ready = Box::pin(gate.ready(Some(&client)));
        assert!((&mut ready).now_or_never().is_none());
        drop(leaving);
        assert_eq!(ready.now_or_never(), Some(true));
    }

    #[test]
    fn large_messages_of_one_client_keep_none_of_another_waiting() {
        let budget = SendBudget::new(usize::MAX);
        let gate = ReadGate::new(budget.clone());
        let (one, other) = (budget.add_client(), budget.add_client());
        let take = |client| gate.large(client).now_or_never();
        let held: Vec<_> = (0..LARGE_AT_ONCE).map(|_| take(Some(&one))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(take(Some(&one)).is_none());
        assert!(take(Some(&other)).is_some() && take(None).is_some());
        drop(held);
        assert!(take(Some(&one)).is_some());
    }

    #[test]
    fn the_permits_of_a_client_that_is_gone_are_forgotten() {
        let budget = SendBudget::new(usize::MAX);
        let gate = ReadGate::new(budget.clone());
        for _ in 0..3 {
            assert!(
                gate.large(Some(&budget.add_client()))
                    .now_or_never()
                    .is_some()
            );
        }
        assert_eq!(gate.large_by_client.lock().len(), 1);
    }
}
