//! How much is logged. A flood costs lines, not time or disk: lines over the rate are counted instead of
//! written, long ones are cut, and one for which there is no room is left out, since who does not read
//! stderr must not stop who writes it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::sync::Mutex;

/// How many seconds' worth of lines may come at once: enough for the start of many upstreams with `DEBUG`.
const BURST: usize = 100;

/// The longest line, in bytes.
const LONGEST: usize = 64 << 10;

/// How much can be written without waiting to what says that it can be written to (POSIX `PIPE_BUF` on Linux;
/// 512 at least, everywhere).
const PIECE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// How long a line waits for a reader that is slow, but reads. One that has let a line pass is not waited for
/// until there is room again.
const PATIENCE: Duration = Duration::from_millis(20);

/// Writes lines to stderr.
pub(super) struct RateLimited {
    state: Mutex<State>,
}

struct State {
    allowance: Allowance,
    /// Whether the last line found no room.
    is_stuck: bool,
}

/// The lines that may still be written.
struct Allowance {
    per_second: f64,
    lines: f64,
    filled: Instant,
    left_out: u64,
}

/// One event on its way.
pub(super) struct Line<'a>(&'a RateLimited);

impl RateLimited {
    /// At most this many lines a second for long.
    pub(super) fn new(per_second: usize) -> Self {
        let state = State {
            allowance: Allowance::new(per_second, Instant::now()),
            is_stuck: false,
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl Allowance {
    fn new(per_second: usize, now: Instant) -> Self {
        let per_second = per_second as f64;
        Self {
            per_second,
            lines: per_second * BURST as f64,
            filled: now,
            left_out: 0,
        }
    }

    /// Whether one more may be written; then how many were left out before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        let most = self.per_second * BURST as f64;
        self.lines = (self.lines + since * self.per_second).min(most);
        self.filled = now;
        if self.lines < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl State {
    /// Writes all of it, or counts it where nobody reads.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        for piece in line.chunks(PIECE) {
            let patience = if self.is_stuck {
                Duration::ZERO
            } else {
                PATIENCE
            };
            self.is_stuck = !has_room(&stderr, patience);
            if self.is_stuck {
                self.allowance.left_out += 1;
                return Ok(());
            }
            stderr.write_all(piece)?;
        }
        Ok(())
    }
}

/// Whether a piece can be written without waiting for longer than this.
#[cfg(unix)]
fn has_room(stderr: &io::StderrLock<'_>, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    let mut fds = [PollFd::new(stderr, PollFlags::OUT)];
    // What cannot be asked is written to, as ever.
    poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0)
}

#[cfg(not(unix))]
fn has_room(_: &io::StderrLock<'_>, _: Duration) -> bool {
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
        let Some(left_out) = state.allowance.take(Instant::now()) else {
            return Ok(event.len());
        };
        if left_out > 0 {
            let told = format!(
                " WARN {left_out} log lines left out; read stderr, or raise PROXY_LOG_RATE\n"
            );
            state.write(told.as_bytes())?;
            if state.is_stuck {
                // Still nobody reads: the account goes on.
                state.allowance.left_out += left_out;
                return Ok(event.len());
            }
        }
        match event.len() > LONGEST {
            false => state.write(event)?,
            true => {
                let cut = String::from_utf8_lossy(&event[..LONGEST]);
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
        let mut allowance = Allowance::new(1, start);
        let taken = (0..BURST + 5).filter_map(|_| allowance.take(start));
        assert_eq!(taken.collect::<Vec<_>>(), [0; BURST]);
        let later = start + Duration::from_secs(2);
        assert_eq!(allowance.take(later), Some(5));
        assert_eq!(allowance.take(later), Some(0));
        assert_eq!(allowance.take(later), None);
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..BURST + 1).filter_map(|_| allowance.take(much_later));
        assert_eq!(taken.sum::<u64>(), 1);
    }
}
