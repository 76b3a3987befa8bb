//! The budget of attempts to connect, for all who ask for one.

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::Mutex;

/// How many attempts may fail in a row: as many as a call a minute, and the pauses while it waits, need to
/// cover a redeployment of a few minutes.
const ATTEMPTS: u32 = 12;

/// How long until one of them is given back. Six an hour go unnoticed at any server, and after a long
/// outage nobody waits longer than this.
const ONE_BACK: Duration = Duration::from_secs(600);

/// How often a sign-in gives one back. A person is not that quick; two processes that renew each other's
/// tokens in vain are.
const SIGN_IN: Duration = Duration::from_secs(60);

/// The attempts that are left for an upstream, for all its sessions.
///
/// One is taken with every attempt, and given back by a connection that holds.
#[derive(Debug, Default)]
pub(crate) struct RetryBudget(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    taken: u32,
    /// From when on the next one to be given back is counted; `None` while none is taken.
    since: Option<Instant>,
    /// When a sign-in gave one back last.
    admitted: Option<Instant>,
}

impl Taken {
    /// Gives back what is due by `now`.
    fn refill(&mut self, now: Instant) {
        while let Some(since) = self.since.filter(|since| *since + ONE_BACK <= now) {
            self.taken = self.taken.saturating_sub(1);
            self.since = (self.taken > 0).then_some(since + ONE_BACK);
        }
    }
}

impl RetryBudget {
    /// Takes an attempt; `false` when none is left.
    pub(crate) fn try_acquire(&self) -> bool {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        budget.refill(now);
        let is_left = budget.taken < ATTEMPTS;
        if is_left {
            budget.taken += 1;
            budget.since.get_or_insert(now);
        }
        is_left
    }

    /// When there is one to take: now, or later.
    pub(crate) fn due(&self) -> Instant {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        budget.refill(now);
        match budget.since {
            Some(since) if budget.taken >= ATTEMPTS => since + ONE_BACK,
            _ => now,
        }
    }

    /// Gives all back: there is reason to believe that the next one succeeds.
    pub(crate) fn reset(&self) {
        let mut budget = self.0.lock();
        (budget.taken, budget.since) = (0, None);
    }

    /// Gives one back, which did not fail.
    pub(crate) fn refund(&self) {
        let mut budget = self.0.lock();
        budget.taken = budget.taken.saturating_sub(1);
        if budget.taken == 0 {
            budget.since = None;
        }
    }

    /// Sees to it that one is left, for there are other tokens to try.
    pub(crate) fn allow_one(&self) {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        let is_early = |last: Instant| now.duration_since(last) < SIGN_IN;
        if budget.taken >= ATTEMPTS && !budget.admitted.is_some_and(is_early) {
            budget.taken = ATTEMPTS - 1;
            budget.admitted = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep_until};

    use super::*;
    use crate::upstream::error::TransportError;
    use crate::upstream::session::backoff::Backoff;

    fn taken(budget: &RetryBudget) -> usize {
        (0..100).filter(|_| budget.try_acquire()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn twelve_attempts_are_there_and_one_comes_back_every_ten_minutes() {
        let budget = RetryBudget::default();
        assert_eq!(taken(&budget), 12);
        assert_eq!(budget.due(), Instant::now() + ONE_BACK);
        advance(ONE_BACK - Duration::from_millis(1)).await;
        assert_eq!(taken(&budget), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(budget.due(), Instant::now());
        assert_eq!(taken(&budget), 1);
        advance(24 * ONE_BACK).await;
        assert_eq!(taken(&budget), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn what_held_gives_all_back_and_what_did_not_fail_gives_one() {
        let budget = RetryBudget::default();
        taken(&budget);
        budget.refund();
        assert_eq!(taken(&budget), 1);
        budget.reset();
        assert_eq!(taken(&budget), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_is_tried_with_no_attempt_left_but_not_again_and_again() {
        let budget = RetryBudget::default();
        taken(&budget);
        budget.allow_one();
        assert_eq!(taken(&budget), 1);
        budget.allow_one();
        assert_eq!(taken(&budget), 0);
        advance(SIGN_IN).await;
        budget.allow_one();
        assert_eq!(taken(&budget), 1);
    }

    /// The attempts at a dead server in `hours`, by the schedule alone or with somebody always waiting.
    async fn attempts(cause: &TransportError, hurried: bool, hours: u64) -> Vec<Duration> {
        let (budget, mut backoff, begun) =
            (RetryBudget::default(), Backoff::default(), Instant::now());
        let mut attempts = Vec::new();
        while begun.elapsed() < Duration::from_secs(3600 * hours) {
            if budget.try_acquire() {
                attempts.push(begun.elapsed());
                let pause = backoff.pause(cause);
                let pause = if hurried {
                    pause.for_waiting_call
                } else {
                    pause.scheduled
                };
                sleep_until((Instant::now() + pause).max(budget.due())).await;
            } else {
                sleep_until(budget.due()).await;
            }
        }
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_server_sees_a_handful_of_attempts_an_hour() {
        let dead = TransportError::Connect("refused".to_owned());
        let signed_out = TransportError::CredentialsRequired;
        for (cause, hurried) in [
            (&dead, false),
            (&dead, true),
            (&signed_out, false),
            (&signed_out, true),
        ] {
            let attempts = attempts(cause, hurried, 24).await;
            let minutes: Vec<_> = attempts.iter().map(|it| it.as_secs() / 60).collect();
            let in_hour = |hour| minutes.iter().filter(|it| **it / 60 == hour).count();
            assert!(in_hour(0) <= 12 + 5, "{cause}, {hurried}: {minutes:?}");
            for hour in 1..24 {
                let count = in_hour(hour);
                assert!((3..=6).contains(&count), "{cause}, {hurried}: {minutes:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_of_half_a_minute_is_covered_with_calls_and_one_of_a_minute_without() {
        let dead = TransportError::StreamEnded;
        for (hurried, long) in [(true, 30), (false, 90)] {
            let attempts = attempts(&dead, hurried, 1).await;
            assert!(attempts[5] >= Duration::from_secs(long), "{attempts:?}");
        }
    }
}
