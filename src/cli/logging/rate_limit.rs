//! How much is logged. A flood costs lines, not time or disk: lines over the rate are counted instead of
//! written, long ones are cut, and one for which there is no room is left out, since who does not read
//! stderr must not stop who writes it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::sync::Mutex;

/// How many seconds' worth of lines may come at once: enough for the start of many upstreams with `DEBUG`.
const BURST_SECONDS: usize = 100;

/// The longest line, in bytes.
const MAX_LINE: usize = 64 << 10;

/// How much can be written without waiting to what says that it can be written to (POSIX `PIPE_BUF` on Linux;
/// 512 at least, everywhere).
const CHUNK: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// How long a line waits for a reader that is slow, but reads. One that has let a line pass is not waited for
/// until there is room again.
const WRITE_TIMEOUT: Duration = Duration::from_millis(20);

/// Writes lines to stderr.
pub(super) struct RateLimited {
    state: Mutex<State>,
}

struct State {
    budget: LineBudget,
    /// Whether the last line found no room.
    is_blocked: bool,
}

/// The lines that may still be written.
struct LineBudget {
    per_second: f64,
    lines: f64,
    refilled_at: Instant,
    dropped: u64,
}

/// One event on its way.
pub(super) struct Line<'a>(&'a RateLimited);

impl RateLimited {
    /// At most this many lines a second for long.
    pub(super) fn new(per_second: usize) -> Self {
        let state = State {
            budget: LineBudget::new(per_second, Instant::now()),
            is_blocked: false,
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl LineBudget {
    fn new(per_second: usize, now: Instant) -> Self {
        let per_second = per_second as f64;
        Self {
            per_second,
            lines: per_second * BURST_SECONDS as f64,
            refilled_at: now,
            dropped: 0,
        }
    }

    /// Whether one more may be written; then how many were left out before it.
    fn try_take(&mut self, now: Instant) -> Option<u64> {
        let since = now
            .saturating_duration_since(self.refilled_at)
            .as_secs_f64();
        let most = self.per_second * BURST_SECONDS as f64;
        self.lines = (self.lines + since * self.per_second).min(most);
        self.refilled_at = now;
        if self.lines < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

impl State {
    /// Writes all of it, or counts it where nobody reads.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        for chunk in line.chunks(CHUNK) {
            let timeout = if self.is_blocked {
                Duration::ZERO
            } else {
                WRITE_TIMEOUT
            };
            self.is_blocked = !is_writable(&stderr, timeout);
            if self.is_blocked {
                self.budget.dropped += 1;
                return Ok(());
            }
            stderr.write_all(chunk)?;
        }
        Ok(())
    }
}

/// Whether a chunk can be written without waiting for longer than this.
#[cfg(unix)]
fn is_writable(stderr: &io::StderrLock<'_>, timeout: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    let mut fds = [PollFd::new(stderr, PollFlags::OUT)];
    // What cannot be asked is written to, as ever.
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

#[cfg(not(unix))]
fn is_writable(_: &io::StderrLock<'_>, _: Duration) -> bool {
    true
}

impl<'a> MakeWriter<'a> for RateLimited {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    /// Takes a whole event, as the subscriber writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        let Some(dropped) = state.budget.try_take(Instant::now()) else {
            return Ok(event.len());
        };
        if dropped > 0 {
            let notice = format!(
                " WARN {dropped} log lines left out; read stderr, or raise PROXY_LOG_RATE\n"
            );
            state.write(notice.as_bytes())?;
            if state.is_blocked {
                // Still nobody reads: the account goes on.
                state.budget.dropped += dropped;
                return Ok(event.len());
            }
        }
        match event.len() > MAX_LINE {
            false => state.write(event)?,
            true => {
                let cut = String::from_utf8_lossy(&event[..MAX_LINE]);
                let bytes = event.len();
                state.write(format!("{cut}… ({bytes} bytes in all)\n").as_bytes())?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_over_the_rate_are_counted() {
        let start = Instant::now();
        let mut budget = LineBudget::new(1, start);
        let taken = (0..BURST_SECONDS + 5).filter_map(|_| budget.try_take(start));
        assert_eq!(taken.collect::<Vec<_>>(), [0; BURST_SECONDS]);
        let later = start + Duration::from_secs(2);
        assert_eq!(budget.try_take(later), Some(5));
        assert_eq!(budget.try_take(later), Some(0));
        assert_eq!(budget.try_take(later), None);
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..BURST_SECONDS + 1).filter_map(|_| budget.try_take(much_later));
        assert_eq!(taken.sum::<u64>(), 1);
    }
}
