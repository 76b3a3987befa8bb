//! The time until a retry, as error texts state it.

use std::fmt;
use std::time::Duration;

/// The time until the next attempt to connect.
pub(super) struct NextAttempt(pub(super) Option<Duration>);

impl fmt::Display for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(whole_seconds) {
            None => f.write_str("an attempt is in progress"),
            Some(seconds) => write!(f, "next attempt in {seconds} s"),
        }
    }
}

/// Returns a waiting time in whole seconds, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add((wait.subsec_nanos() > 0).into())
}
