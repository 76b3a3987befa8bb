//! Noticing that the process was asleep: the machine suspended, or the process stopped. What was connected
//! before may be dead without a word.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::Clients;
use crate::sync::Mutex;

/// How often the clocks are read.
const TICK: Duration = Duration::from_secs(1);

/// How late a tick must be to tell of sleep: what a loaded machine may be late is far less.
const LATE: Duration = Duration::from_secs(5);

/// Tells whoever listens that the process has woken up.
#[derive(Debug, Default)]
pub(super) struct Wake {
    times: watch::Sender<u64>,
    /// The clocks as they were read last; `None` until they are watched.
    last: Mutex<Option<Clocks>>,
}

impl Clients {
    /// Changes each time that the process has woken up.
    #[must_use]
    pub fn woken(&self) -> watch::Receiver<u64> {
        self.wake.times.subscribe()
    }

    /// How often the process has woken up.
    #[must_use]
    pub fn times_woken(&self) -> u64 {
        *self.wake.times.borrow()
    }

    /// Notices that the process was asleep, if it was, before anything is sent on what was connected.
    /// Reads the clocks and does nothing else where it was not; for whoever has something to send, since
    /// what was to wake up in the meantime may do so later.
    pub fn notice_sleep(&self) {
        let slept = {
            let mut last = self.wake.last.lock();
            let Some(last) = last.as_mut() else { return };
            let now = Clocks::now();
            now.slept_since(&std::mem::replace(last, now))
        };
        if let Some(slept) = slept {
            info!(?slept, "woke up; checking the connections");
            // What was connected may be dead without a word.
            self.renew();
            self.wake.times.send_modify(|times| *times += 1);
        }
    }
}

/// Watches the clocks until `cancel`. One for the process.
pub async fn watch_sleep(clients: Arc<Clients>, cancel: CancellationToken) {
    let now = Some(Clocks::now());
    *clients.wake.last.lock() = now;
    while cancel.run_until_cancelled(sleep(TICK)).await.is_some() {
        clients.notice_sleep();
    }
}

/// Both clocks. Where a suspended machine stops the one, the other has jumped.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    steady: Instant,
    wall: SystemTime,
}

impl Clocks {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// For how long the process slept, if it did since they were read last, which is a tick ago at most
    /// where it did not.
    fn slept_since(&self, last: &Self) -> Option<Duration> {
        let steady = self.steady.duration_since(last.steady);
        // A clock that was put back tells nothing.
        let wall = self.wall.duration_since(last.wall).unwrap_or_default();
        let slept = steady.max(wall).saturating_sub(TICK);
        (slept > LATE).then_some(slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_is_late_by_either_clock_tells_of_sleep() {
        let last = Clocks::now();
        let later = |steady: u64, wall: i64| {
            let steady = last.steady + Duration::from_secs(steady);
            let by = Duration::from_secs(wall.unsigned_abs());
            let wall = if wall < 0 {
                last.wall - by
            } else {
                last.wall + by
            };
            let slept = Clocks { steady, wall }.slept_since(&last);
            slept.map(|slept| slept.as_secs())
        };
        assert_eq!(later(1, 1), None);
        assert_eq!(later(6, 6), None);
        assert_eq!(later(7, 7), Some(6));
        // A suspended machine, whose steady clock stood still.
        assert_eq!(later(1, 3601), Some(3600));
        assert_eq!(later(1, -3600), None);
    }
}
