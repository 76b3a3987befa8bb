//! The limit of concurrent calls to one upstream, and the queue in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::upstream::error::TransportError;

/// Limits the concurrent calls to one upstream, and queues further calls first in, first out.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    max_running: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// The permit of a running call. Dropping it starts the next queued call.
#[derive(Debug)]
pub struct CallPermit(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl ConcurrencyLimit {
    /// Returns a limit of `max_running` concurrent calls and `max_waiting` queued ones.
    pub(crate) fn new(max_running: usize, max_waiting: usize) -> Self {
        let max_running = max_running.min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(max_running)),
            max_running,
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Waits at most `wait` until the call may run.
    ///
    /// # Errors
    /// [`TransportError::Busy`] when the time is over, and immediately when the queue is full.
    pub(crate) async fn acquire(&self, wait: Duration) -> Result<CallPermit, TransportError> {
        match self.permits.clone().try_acquire_owned() {
            Ok(permit) => Ok(CallPermit(permit)),
            // Boxed: it is large, and on the path of every call.
            Err(_) => Box::pin(self.wait_in_queue(wait)).await,
        }
    }

    async fn wait_in_queue(&self, wait: Duration) -> Result<CallPermit, TransportError> {
        let slot = QueueSlot::take(self)?;
        let permit = timeout(wait, self.permits.clone().acquire_owned()).await;
        drop(slot);
        match permit {
            Ok(Ok(permit)) => Ok(CallPermit(permit)),
            // Unreachable: the semaphore is never closed.
            Ok(Err(_)) => Err(TransportError::ShuttingDown),
            Err(_) => Err(TransportError::Busy {
                running: self.max_running,
                waiting: self.waiting.load(Ordering::Relaxed),
            }),
        }
    }
}

/// A slot in the queue. A cancelled call releases it as well.
struct QueueSlot<'a>(&'a AtomicUsize);

impl<'a> QueueSlot<'a> {
    fn take(limit: &'a ConcurrencyLimit) -> Result<Self, TransportError> {
        let before = limit.waiting.fetch_add(1, Ordering::Relaxed);
        let slot = Self(&limit.waiting);
        if before < limit.max_waiting {
            return Ok(slot);
        }
        Err(TransportError::Busy {
            running: limit.max_running,
            waiting: before,
        })
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const FOR_LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_queued_call_times_out() {
        let limit = ConcurrencyLimit::new(1, 1);
        let _running = limit.acquire(FOR_LONG).await.unwrap();
        let late = limit.acquire(FOR_LONG).await;
        assert!(matches!(late, Err(TransportError::Busy { .. })), "{late:?}");
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn calls_run_queue_in_order_or_are_rejected() {
        let limit = ConcurrencyLimit::new(1, 2);
        let first = limit.acquire(FOR_LONG).now_or_never().unwrap().unwrap();
        let mut second = Box::pin(limit.acquire(FOR_LONG));
        let mut third = Box::pin(limit.acquire(FOR_LONG));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        let refused = limit.acquire(FOR_LONG).now_or_never().unwrap();
        assert!(
            matches!(
                refused,
                Err(TransportError::Busy {
                    running: 1,
                    waiting: 2
                })
            ),
            "{refused:?}"
        );
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let second = (&mut second).now_or_never().unwrap().unwrap();
        // A cancelled call releases its slot.
        drop(third);
        let mut fourth = Box::pin(limit.acquire(FOR_LONG));
        assert!((&mut fourth).now_or_never().is_none());
        drop(second);
        assert!(fourth.now_or_never().unwrap().is_ok());
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
    }
}
