//! The limit of the calls that run at one upstream at a time, and the queue for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::upstream::error::TransportError;

/// Limits the calls that run at one upstream, and admits them in the order of their arrival.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    max_running: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// The permit of a call that runs. Dropping it admits the next call.
#[derive(Debug)]
pub struct CallPermit(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl ConcurrencyLimit {
    /// Lets `running` calls run at a time, and `queue` more wait.
    pub(crate) fn new(max_running: usize, max_waiting: usize) -> Self {
        let max_running = max_running.min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(max_running)),
            max_running,
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Waits until the call may run, no longer than `wait`.
    ///
    /// # Errors
    /// [`TransportError::Busy`], at once when the queue is full.
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
            // Never: the semaphore is not closed.
            Ok(Err(_)) => Err(TransportError::ShuttingDown),
            Err(_) => Err(TransportError::Busy {
                running: self.max_running,
                waiting: self.waiting.load(Ordering::Relaxed),
            }),
        }
    }
}

/// A place in the queue. A call that is cancelled gives it up as well.
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
        // A cancelled call gives its slot up.
        drop(third);
        let mut fourth = Box::pin(limit.acquire(FOR_LONG));
        assert!((&mut fourth).now_or_never().is_none());
        drop(second);
        assert!(fourth.now_or_never().unwrap().is_ok());
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
    }
}
