//! How long to wait before the next attempt.

use std::time::Duration;

use crate::upstream::error::TransportError;

/// The pauses between attempts: each three times the one before, from the first to the last, and varied
/// by a fifth. Six attempts then cover the two minutes that a restart or a redeployment takes, and a
/// server that is dead sees five an hour.
pub(crate) const INITIAL_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(900);
const GROWTH_FACTOR: u32 = 3;

/// The longest that a server can send us away for by `Retry-After`: it may have been a slip.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Counts failures, and makes pauses of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    pub(crate) failures: u32,
}

/// The pause before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delays {
    /// How long it is by itself.
    pub(crate) scheduled: Duration,
    /// How long it is at least when somebody waits on.
    pub(crate) for_waiting_call: Duration,
    /// The same when somebody comes who has not waited yet.
    pub(crate) for_new_call: Duration,
}

impl Backoff {
    /// The pause after another failure.
    pub(crate) fn next_delay(&mut self, cause: &TransportError) -> Duration {
        self.next_delays(cause).scheduled
    }

    /// The same, with how far it can be cut short. A call that waits must not hurry attempts so much that
    /// none is left when the server is back: it gets the pause before this one. One that comes anew is tried
    /// for at once, since much may have changed. Where a person has to act, who asks again may have acted.
    pub(crate) fn next_delays(&mut self, cause: &TransportError) -> Delays {
        let grown = INITIAL_DELAY.saturating_mul(GROWTH_FACTOR.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let requested = cause.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER);
        let (delay, for_waiting_call) = match cause.requires_user_action() {
            true => (MAX_DELAY, Duration::ZERO),
            false => (
                grown.min(MAX_DELAY),
                (grown.min(MAX_DELAY) / GROWTH_FACTOR).max(INITIAL_DELAY),
            ),
        };
        let jitter = 0.8 + 0.4 * fastrand::f64();
        let with_jitter = |delay: Duration| match requested > delay.mul_f64(jitter) {
            // Never less than the server asked for.
            true => requested.mul_f64(1.0 + fastrand::f64() / 10.0),
            false => delay.mul_f64(jitter),
        };
        // Whole milliseconds, as they are logged.
        let rounded = |delay: Duration| Duration::from_millis(delay.as_millis() as u64);
        Delays {
            scheduled: rounded(with_jitter(delay)),
            for_waiting_call: rounded(with_jitter(for_waiting_call)),
            // Two who come together make one attempt.
            for_new_call: rounded(with_jitter(for_waiting_call.min(INITIAL_DELAY))),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn busy(wait: u64) -> TransportError {
        TransportError::Status {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: String::new(),
            retry_after: Some(Duration::from_secs(wait)),
        }
    }

    #[test]
    fn pauses_grow_to_minutes_and_are_varied() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..50)
            .map(|_| backoff.next_delay(&TransportError::StreamEnded))
            .collect();
        assert!(pauses[0] >= Duration::from_millis(800), "{pauses:?}");
        assert!(pauses[0] <= Duration::from_millis(1200), "{pauses:?}");
        assert!(pauses[11] >= Duration::from_secs(720), "{pauses:?}");
        let longest = pauses.iter().max().unwrap();
        assert!(*longest <= Duration::from_secs(1080), "{pauses:?}");
        assert_ne!(pauses[48], pauses[49]);
        let requires_user = Backoff::default().next_delays(&TransportError::CredentialsRequired);
        assert!(
            requires_user.scheduled >= Duration::from_secs(720),
            "{requires_user:?}"
        );
        assert_eq!(requires_user.for_waiting_call, Duration::ZERO);
    }

    #[test]
    fn whoever_waits_gets_the_pause_before() {
        let mut backoff = Backoff::default();
        for failures in 0..8 {
            let pause = backoff.next_delays(&TransportError::StreamEnded);
            assert!(
                pause.for_waiting_call <= pause.scheduled,
                "{failures}: {pause:?}"
            );
            assert!(
                pause.for_waiting_call >= pause.scheduled / 4,
                "{failures}: {pause:?}"
            );
            assert!(
                pause.for_waiting_call >= INITIAL_DELAY.mul_f64(0.79),
                "{pause:?}"
            );
            assert!(
                pause.for_new_call <= INITIAL_DELAY.mul_f64(1.21),
                "{pause:?}"
            );
        }
    }

    #[test]
    fn a_server_that_names_a_time_is_left_alone_for_it_and_for_an_hour_at_most() {
        for (requested, least, most) in [(0, 0, 2), (30, 30, 34), (7200, 3600, 3961)] {
            let pause = Backoff::default().next_delays(&busy(requested));
            for delay in [pause.scheduled, pause.for_waiting_call, pause.for_new_call] {
                assert!(
                    delay >= Duration::from_secs(least),
                    "{requested}: {pause:?}"
                );
                assert!(delay <= Duration::from_secs(most), "{requested}: {pause:?}");
            }
        }
    }
}
