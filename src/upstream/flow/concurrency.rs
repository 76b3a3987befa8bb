//! How many calls run at one upstream at a time, and how many wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::upstream::error::TransportError;

/// Admits calls to one upstream, in the order of their coming.
#[derive(Debug)]
pub(crate) struct Admission {
    free: Arc<Semaphore>,
    running: usize,
    waiting: AtomicUsize,
    queue: usize,
}

/// That a call may run. It ends when this is dropped.
#[derive(Debug)]
pub struct Admitted(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Admission {
    /// As many calls at a time as `running`, and as many more that wait as `queue`.
    pub(crate) fn new(running: usize, queue: usize) -> Self {
        let running = running.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(running)),
            running,
            waiting: AtomicUsize::new(0),
            queue,
        }
    }

    /// Waits until the call may run, no longer than `patience`.
    ///
    /// # Errors
    /// [`TransportError::Busy`], at once when too many wait already.
    pub(crate) async fn admit(&self, patience: Duration) -> Result<Admitted, TransportError> {
        match self.free.clone().try_acquire_owned() {
            Ok(permit) => Ok(Admitted(permit)),
            // Boxed: it is large, and on the path of every call.
            Err(_) => Box::pin(self.queue_up(patience)).await,
        }
    }

    async fn queue_up(&self, patience: Duration) -> Result<Admitted, TransportError> {
        let place = Place::take(self)?;
        let permit = timeout(patience, self.free.clone().acquire_owned()).await;
        drop(place);
        match permit {
            Ok(Ok(permit)) => Ok(Admitted(permit)),
            // Never: it is not closed.
            Ok(Err(_)) => Err(TransportError::ShuttingDown),
            Err(_) => Err(TransportError::Busy {
                running: self.running,
                waiting: self.waiting.load(Ordering::Relaxed),
            }),
        }
    }
}

/// A place in the queue, given up also when its call is cancelled.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(admission: &'a Admission) -> Result<Self, TransportError> {
        let before = admission.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(&admission.waiting);
        if before < admission.queue {
            return Ok(place);
        }
        Err(TransportError::Busy {
            running: admission.running,
            waiting: before,
        })
    }
}

impl Drop for Place<'_> {
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
    async fn nobody_waits_for_ever() {
        let admission = Admission::new(1, 1);
        let _running = admission.admit(FOR_LONG).await.unwrap();
        let late = admission.admit(FOR_LONG).await;
        assert!(matches!(late, Err(TransportError::Busy { .. })), "{late:?}");
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn calls_run_wait_in_order_and_are_refused() {
        let admission = Admission::new(1, 2);
        let first = admission.admit(FOR_LONG).now_or_never().unwrap().unwrap();
        let mut second = Box::pin(admission.admit(FOR_LONG));
        let mut third = Box::pin(admission.admit(FOR_LONG));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        let refused = admission.admit(FOR_LONG).now_or_never().unwrap();
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
        // One that is cancelled gives its place up.
        drop(third);
        let mut fourth = Box::pin(admission.admit(FOR_LONG));
        assert!((&mut fourth).now_or_never().is_none());
        drop(second);
        assert!(fourth.now_or_never().unwrap().is_ok());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }
}
