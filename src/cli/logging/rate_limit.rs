//! Limits the log on stderr, so that a flood of lines costs neither time nor disk.
//!
//! Lines over the rate are counted and not written. Long lines are cut. A line is dropped if stderr is
//! full: a process that does not read stderr must not block the proxy.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::sync::Mutex;

/// The size of a burst, in seconds of the rate: enough for the start of many upstreams with `DEBUG`.
const BURST_SECONDS: usize = 100;

/// The maximum length of a line, in bytes.
const MAX_LINE: usize = 64 << 10;

/// How many bytes a pipe that polls as writable takes without blocking. This is `PIPE_BUF` of POSIX: 4096 on
/// Linux, at least 512 everywhere.
const CHUNK: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// How long a line waits for a slow reader. After a dropped line, the next ones do not wait until stderr is
/// writable again.
const WRITE_TIMEOUT: Duration = Duration::from_millis(20);

/// Writes lines to stderr.
pub(super) struct RateLimited {
    state: Mutex<State>,
}

struct State {
    budget: LineBudget,
    /// Whether the last line was dropped because stderr was full.
    is_blocked: bool,
}

/// How many lines may still be written.
struct LineBudget {
    per_second: f64,
    lines: f64,
    refilled_at: Instant,
    dropped: u64,
}

/// Writes one event.
pub(super) struct Line<'a>(&'a RateLimited);

impl RateLimited {
    /// Creates a writer with this average rate of lines per second.
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

    /// Takes one line from the budget. Returns how many were dropped since the last one; `None` if the budget
    /// is exhausted.
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
    /// Writes the line, or counts it as dropped if stderr is full.
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

/// Returns `true` if stderr can take a chunk within `timeout`.
#[cfg(unix)]
fn is_writable(stderr: &io::StderrLock<'_>, timeout: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    let mut fds = [PollFd::new(stderr, PollFlags::OUT)];
    // A regular file always polls as writable.
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
    /// Writes a whole event, as the subscriber passes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        let Some(dropped) = state.budget.try_take(Instant::now()) else {
            return Ok(event.len());
        };
        if dropped > 0 {
            let notice = format!(
                " WARN {dropped} log lines dropped; read stderr, or raise PROXY_LOG_RATE\n"
            );
            state.write(notice.as_bytes())?;
            if state.is_blocked {
                // Stderr is still full: keep the count for the next notice.
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
