//! Detects that the process was suspended: the machine slept, or the process was stopped. Connections
//! may be dead afterwards without an error.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::sync::Mutex;

/// How often the clocks are read.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// The delay of a tick that counts as a suspend, far above the delays of a loaded machine.
const MIN_SUSPEND: Duration = Duration::from_secs(5);

/// Compares the clocks with their last reading, and counts how often the process resumed.
#[derive(Debug, Default)]
pub(super) struct SuspendDetector {
    resumes: watch::Sender<u64>,
    /// The last reading; `None` until [`Self::start`].
    last: Mutex<Option<Clocks>>,
}

impl SuspendDetector {
    /// A counter that changes each time the process resumes.
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

    /// Reads the clocks. Returns how long the process was suspended since the last reading, if it was.
    pub(super) fn suspended_for(&self) -> Option<Duration> {
        let mut last = self.last.lock();
        let last = last.as_mut()?;
        let now = Clocks::now();
        now.suspended_since(&std::mem::replace(last, now))
    }
}

/// Both clocks. On some systems the steady clock stops during a suspend, but the wall clock jumps.
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

    /// How long the process was suspended since `last`, if it was. Otherwise `last` is at most a tick ago.
    fn suspended_since(&self, last: &Self) -> Option<Duration> {
        let steady = self.steady.duration_since(last.steady);
        // A clock that was set back is ignored.
        let wall = self.wall.duration_since(last.wall).unwrap_or_default();
        let late = steady.max(wall).saturating_sub(TICK);
        (late > MIN_SUSPEND).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_on_either_clock_is_a_suspend() {
        let last = Clocks::now();
        let later = |steady: u64, wall: i64| {
            let steady = last.steady + Duration::from_secs(steady);
            let by = Duration::from_secs(wall.unsigned_abs());
            let wall = if wall < 0 {
                last.wall - by
            } else {
                last.wall + by
            };
            let suspended = Clocks { steady, wall }.suspended_since(&last);
            suspended.map(|duration| duration.as_secs())
        };
        assert_eq!(later(1, 1), None);
        assert_eq!(later(6, 6), None);
        assert_eq!(later(7, 7), Some(6));
        // A suspended machine whose steady clock stopped.
        assert_eq!(later(1, 3601), Some(3600));
        assert_eq!(later(1, -3600), None);
    }
}
