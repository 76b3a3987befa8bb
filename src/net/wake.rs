//! Noticing that the process was asleep: the machine suspended, or the process stopped. What was connected
//! before may be dead without a word.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::Clients;

/// How often the clocks are read.
const TICK: Duration = Duration::from_secs(1);

/// How late a tick must be to tell of sleep: what a loaded machine may be late is far less.
const LATE: Duration = Duration::from_secs(5);

/// Tells whoever listens that the process has woken up.
#[derive(Debug, Default)]
pub(super) struct Wake(watch::Sender<u64>);

impl Clients {
    /// Changes each time that the process has woken up.
    #[must_use]
    pub fn woken(&self) -> watch::Receiver<u64> {
        self.wake.0.subscribe()
    }
}

/// Watches the clocks until `cancel`. One for the process.
pub async fn watch_sleep(clients: Arc<Clients>, cancel: CancellationToken) {
    let mut last = Clocks::now();
    while cancel.run_until_cancelled(sleep(TICK)).await.is_some() {
        let now = Clocks::now();
        if let Some(slept) = now.slept_since(&last) {
            info!(?slept, "woke up; checking the connections");
            // What was connected may be dead without a word.
            clients.renew();
            clients.wake.0.send_modify(|times| *times += 1);
        }
        last = now;
    }
}

/// Both clocks. Where a suspended machine stops the one, the other has jumped.
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

    /// For how long the process slept, if it did between two ticks.
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
