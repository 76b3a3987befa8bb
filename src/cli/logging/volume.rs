//! How much is logged. A flood costs lines, not time or disk: lines over the rate are counted instead of
//! written, long ones are cut, and who writes never waits for who reads stderr.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// How many seconds' worth of lines may come at once: enough for the start of many upstreams with `DEBUG`.
const BURST: usize = 100;

/// How many lines wait for a slow reader of stderr. More are left out.
const WAITING: usize = 1024;

/// The longest line, in bytes.
const LONGEST: usize = 64 << 10;

/// Writes lines to stderr by a thread of its own.
pub(super) struct Volume {
    out: NonBlocking,
    // std's Mutex: held for a subtraction, never across a write that waits.
    allowance: Mutex<Allowance>,
}

/// The lines that may still be written.
struct Allowance {
    per_second: f64,
    lines: f64,
    filled: Instant,
    left_out: u64,
}

/// One event on its way.
pub(super) struct Line<'a>(&'a Volume);

impl Volume {
    /// At most this many lines a second for long. What waits is written when the guard is dropped.
    pub(super) fn new(per_second: usize) -> (Self, WorkerGuard) {
        let (out, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING)
            .lossy(true)
            .thread_name("log")
            .finish(io::stderr());
        let allowance = Mutex::new(Allowance::new(per_second, Instant::now()));
        (Self { out, allowance }, guard)
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

impl<'a> MakeWriter<'a> for Volume {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    /// Takes a whole event, as the subscriber writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let allowance = self.0.allowance.lock();
        let taken = allowance
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now());
        let Some(left_out) = taken else {
            return Ok(event.len());
        };
        let mut out = self.0.out.clone();
        if left_out > 0 {
            let told = format!(" WARN {left_out} log lines left out; raise PROXY_LOG_RATE\n");
            out.write_all(told.as_bytes())?;
        }
        match event.len() > LONGEST {
            false => out.write_all(event)?,
            true => {
                let cut = String::from_utf8_lossy(&event[..LONGEST]);
                let bytes = event.len();
                out.write_all(format!("{cut}… ({bytes} bytes in all)\n").as_bytes())?;
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
