//! What the client has not read yet. While that is much, upstreams are read no further: they wait
//! for the client, and what it gets is not gathered here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// From this size on, in bytes, a message takes one of the few places for large ones of its upstream.
pub(crate) const LARGE: usize = 256 << 10;

/// How many large messages are read of one upstream at a time: what there is of each is in memory, and more
/// of them at once would come no sooner.
const LARGE_AT_ONCE: usize = 8;

/// How many bytes wait for the client.
#[derive(Debug)]
pub struct SendBuffer {
    bytes: AtomicUsize,
    /// From how many on no more is read.
    most: usize,
    drained: Notify,
}

impl Default for SendBuffer {
    /// Without a bound.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl SendBuffer {
    /// None yet, and at most about this many bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            most,
            drained: Notify::new(),
        }
    }

    /// So many bytes more wait.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many were read, or are not for the client any more.
    pub fn sub(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.most && before - bytes < self.most {
            self.drained.notify_waiters();
        }
    }

    /// Waits until the client has read enough for more to be fetched; says whether that took time.
    pub(crate) async fn ready(&self) -> bool {
        // Nearly always, and on the path of every answer.
        if self.is_open() {
            return false;
        }
        Box::pin(self.drain()).await;
        true
    }

    async fn drain(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_open() {
                return;
            }
            drained.await;
        }
    }

    fn is_open(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.most
    }
}

/// What one upstream takes in.
#[derive(Debug)]
pub(crate) struct ReadGate {
    backlog: Arc<SendBuffer>,
    large: Arc<Semaphore>,
}

impl ReadGate {
    pub(crate) fn new(backlog: Arc<SendBuffer>) -> Self {
        Self {
            backlog,
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }

    /// Waits until more may be read; says whether that took time.
    pub(crate) async fn ready(&self) -> bool {
        self.backlog.ready().await
    }

    /// Whether more may be read now.
    pub(crate) fn is_open(&self) -> bool {
        self.backlog.is_open()
    }

    /// Waits until one more large message may be read.
    pub(crate) async fn large(&self) -> LargeBodyPermit {
        // Fails never: it is not closed.
        LargeBodyPermit(self.large.clone().acquire_owned().await.ok())
    }
}

/// That a large message may be read, until this is dropped.
#[derive(Debug)]
pub(crate) struct LargeBodyPermit(
    #[allow(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>,
);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn there_is_room_when_the_client_has_read_enough() {
        let backlog = SendBuffer::new(10);
        backlog.add(9);
        assert!(backlog.ready().now_or_never().is_some());
        backlog.add(91);
        let mut room = Box::pin(backlog.ready());
        assert!((&mut room).now_or_never().is_none());
        backlog.sub(90);
        assert!((&mut room).now_or_never().is_none());
        backlog.sub(1);
        assert!(room.now_or_never().is_some());
    }
}
