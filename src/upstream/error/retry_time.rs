//! When something is tried again, as the texts of errors say it.

use std::fmt;
use std::time::Duration;

/// The time until the next attempt to connect.
pub(super) struct NextAttempt(pub(super) Option<Duration>);

impl fmt::Display for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(whole_seconds) {
            None => f.write_str("an attempt is under way"),
            Some(seconds) => write!(f, "next attempt in {seconds} s"),
        }
    }
}

/// Returns a time to wait in whole seconds, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add((wait.subsec_nanos() > 0).into())
}
