//! Detects that the process was suspended: the machine slept, or the process was stopped. What was connected
//! before may be dead without a word.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::sync::Mutex;

/// How often the clocks are read.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// How late a tick must be to tell of sleep: what a loaded machine may be late is far less.
const MIN_SUSPEND: Duration = Duration::from_secs(5);

/// Compares the clocks with how they were read last, and counts how often the process resumed.
#[derive(Debug, Default)]
pub(super) struct SuspendDetector {
    resumes: watch::Sender<u64>,
    /// The clocks as they were read last; `None` until they are watched.
    last: Mutex<Option<Clocks>>,
}

impl SuspendDetector {
    /// Changes each time that the process resumes.
    pub(super) fn resumed(&self) -> watch::Receiver<u64> {
        self.resumes.subscribe()
    }

    /// How often the process has resumed.
    pub(super) fn resume_count(&self) -> u64 {
        *self.resumes.borrow()
    }

    /// Notifies the receivers of [`Self::resumed`].
    pub(super) fn notify_resumed(&self) {
        self.resumes.send_modify(|resumes| *resumes += 1);
    }

    /// Reads the clocks for the first time.
    pub(super) fn start(&self) {
        *self.last.lock() = Some(Clocks::now());
    }

    /// Reads the clocks, and returns for how long the process was suspended since the last time, if it was.
    pub(super) fn suspended_for(&self) -> Option<Duration> {
        let mut last = self.last.lock();
        let last = last.as_mut()?;
        let now = Clocks::now();
        now.suspended_since(&std::mem::replace(last, now))
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
    fn suspended_since(&self, last: &Self) -> Option<Duration> {
        let steady = self.steady.duration_since(last.steady);
        // A clock that was put back tells nothing.
        let wall = self.wall.duration_since(last.wall).unwrap_or_default();
        let slept = steady.max(wall).saturating_sub(TICK);
        (slept > MIN_SUSPEND).then_some(slept)
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
            let slept = Clocks { steady, wall }.suspended_since(&last);
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
