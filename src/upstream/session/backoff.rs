//! Exponential backoff: how long to wait before the next attempt.

use std::time::Duration;

use crate::upstream::error::TransportError;

/// The first delay between attempts.
///
/// Each delay is three times the one before, up to [`MAX_DELAY`], with a jitter of a fifth. Six attempts cover
/// the two minutes that a restart or a redeployment takes. A dead server gets five attempts an hour.
pub(crate) const INITIAL_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(900);
const GROWTH_FACTOR: u32 = 3;

/// The longest pause that a server can request by `Retry-After`. A longer one may be a mistake.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Counts failures, and computes the delay after each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    pub(crate) failures: u32,
}

/// The delays before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delays {
    /// The delay if no call needs the connection.
    pub(crate) scheduled: Duration,
    /// The shortest delay for a call that has waited for the attempt that failed.
    pub(crate) for_waiting_call: Duration,
    /// The shortest delay for a call that has not waited yet.
    pub(crate) for_new_call: Duration,
}

impl Backoff {
    /// Counts a failure, and returns the delay after it.
    pub(crate) fn next_delay(&mut self, cause: &TransportError) -> Duration {
        self.next_delays(cause).scheduled
    }

    /// Counts a failure, and returns the delays after it.
    ///
    /// A waiting call gets the previous delay: shorter ones would use up the attempts before the server is back.
    /// A new call gets an immediate attempt, since the server may be back. If the user has to act, a call gets an
    /// immediate attempt as well, since the user may have acted.
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
            // Not shorter than the server requested.
            true => requested.mul_f64(1.0 + fastrand::f64() / 10.0),
            false => delay.mul_f64(jitter),
        };
        // Whole milliseconds, as the log shows them.
        let rounded = |delay: Duration| Duration::from_millis(delay.as_millis() as u64);
        Delays {
            scheduled: rounded(with_jitter(delay)),
            for_waiting_call: rounded(with_jitter(for_waiting_call)),
            // Two calls at the same time share one attempt.
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
    fn delays_grow_to_minutes_with_jitter() {
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
    fn waiting_call_gets_the_previous_delay() {
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
    fn requested_pause_is_kept_up_to_an_hour() {
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
