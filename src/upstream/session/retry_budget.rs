//! The retry budget: how many attempts to connect an upstream has left.

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::Mutex;

/// How many attempts may fail in a row. With a call every minute, these cover a redeployment of a few minutes.
const MAX_ATTEMPTS: u32 = 12;

/// How long until one attempt is refilled. Any server can bear six attempts an hour. After a long outage, no
/// call waits longer than this.
const REFILL_INTERVAL: Duration = Duration::from_secs(600);

/// The shortest time between two attempts that new tokens grant. A user does not sign in more often, but two
/// processes that renew the same tokens in vain do.
const SIGN_IN_INTERVAL: Duration = Duration::from_secs(60);

/// The attempts that an upstream has left, for all its sessions together.
///
/// Each attempt spends one. A connection that proves stable resets the budget.
#[derive(Debug, Default)]
pub(crate) struct RetryBudget(Mutex<BudgetState>);

#[derive(Debug, Default)]
struct BudgetState {
    spent: u32,
    /// When the wait for the next refill began; `None` if no attempt is spent.
    refilling_since: Option<Instant>,
    /// When new tokens last granted an attempt.
    granted_at: Option<Instant>,
}

impl BudgetState {
    /// Refills the attempts that are due at `now`.
    fn refill(&mut self, now: Instant) {
        while let Some(refilling_since) = self
            .refilling_since
            .filter(|refilling_since| *refilling_since + REFILL_INTERVAL <= now)
        {
            self.spent = self.spent.saturating_sub(1);
            self.refilling_since = (self.spent > 0).then_some(refilling_since + REFILL_INTERVAL);
        }
    }
}

impl RetryBudget {
    /// Spends an attempt. Returns `false` if none is left.
    pub(crate) fn try_acquire(&self) -> bool {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        budget.refill(now);
        let has_attempt = budget.spent < MAX_ATTEMPTS;
        if has_attempt {
            budget.spent += 1;
            budget.refilling_since.get_or_insert(now);
        }
        has_attempt
    }

    /// Returns when the next attempt can be spent: now or later.
    pub(crate) fn next_available_at(&self) -> Instant {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        budget.refill(now);
        match budget.refilling_since {
            Some(refilling_since) if budget.spent >= MAX_ATTEMPTS => {
                refilling_since + REFILL_INTERVAL
            }
            _ => now,
        }
    }

    /// Gives all attempts back. Call this if the next attempt is likely to succeed.
    pub(crate) fn reset(&self) {
        let mut budget = self.0.lock();
        (budget.spent, budget.refilling_since) = (0, None);
    }

    /// Gives one attempt back that did not fail.
    pub(crate) fn refund(&self) {
        let mut budget = self.0.lock();
        budget.spent = budget.spent.saturating_sub(1);
        if budget.spent == 0 {
            budget.refilling_since = None;
        }
    }

    /// Grants one attempt if none is left, to try new tokens. Grants at most one each [`SIGN_IN_INTERVAL`].
    pub(crate) fn allow_one(&self) {
        let (mut budget, now) = (self.0.lock(), Instant::now());
        let is_too_soon = |last: Instant| now.duration_since(last) < SIGN_IN_INTERVAL;
        if budget.spent >= MAX_ATTEMPTS && !budget.granted_at.is_some_and(is_too_soon) {
            budget.spent = MAX_ATTEMPTS - 1;
            budget.granted_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep_until};

    use super::*;
    use crate::upstream::error::TransportError;
    use crate::upstream::session::backoff::Backoff;

    fn spend_all(budget: &RetryBudget) -> usize {
        (0..100).filter(|_| budget.try_acquire()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn budget_has_twelve_attempts_and_refills_one_every_ten_minutes() {
        let budget = RetryBudget::default();
        assert_eq!(spend_all(&budget), 12);
        assert_eq!(budget.next_available_at(), Instant::now() + REFILL_INTERVAL);
        advance(REFILL_INTERVAL - Duration::from_millis(1)).await;
        assert_eq!(spend_all(&budget), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(budget.next_available_at(), Instant::now());
        assert_eq!(spend_all(&budget), 1);
        advance(24 * REFILL_INTERVAL).await;
        assert_eq!(spend_all(&budget), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn reset_gives_all_attempts_back_and_refund_one() {
        let budget = RetryBudget::default();
        spend_all(&budget);
        budget.refund();
        assert_eq!(spend_all(&budget), 1);
        budget.reset();
        assert_eq!(spend_all(&budget), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn new_tokens_grant_one_attempt_a_minute() {
        let budget = RetryBudget::default();
        spend_all(&budget);
        budget.allow_one();
        assert_eq!(spend_all(&budget), 1);
        budget.allow_one();
        assert_eq!(spend_all(&budget), 0);
        advance(SIGN_IN_INTERVAL).await;
        budget.allow_one();
        assert_eq!(spend_all(&budget), 1);
    }

    /// Returns the times of the attempts at a dead server in `hours`, with or without a call that always waits.
    async fn attempts_at(
        cause: &TransportError,
        has_waiting_call: bool,
        hours: u64,
    ) -> Vec<Duration> {
        let (budget, mut backoff, begun) =
            (RetryBudget::default(), Backoff::default(), Instant::now());
        let mut attempts = Vec::new();
        while begun.elapsed() < Duration::from_secs(3600 * hours) {
            if budget.try_acquire() {
                attempts.push(begun.elapsed());
                let pause = backoff.next_delays(cause);
                let pause = if has_waiting_call {
                    pause.for_waiting_call
                } else {
                    pause.scheduled
                };
                sleep_until((Instant::now() + pause).max(budget.next_available_at())).await;
            } else {
                sleep_until(budget.next_available_at()).await;
            }
        }
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn dead_server_gets_a_handful_of_attempts_an_hour() {
        let dead = TransportError::Connect("refused".to_owned());
        let signed_out = TransportError::CredentialsRequired;
        for (cause, has_waiting_call) in [
            (&dead, false),
            (&dead, true),
            (&signed_out, false),
            (&signed_out, true),
        ] {
            let attempts = attempts_at(cause, has_waiting_call, 24).await;
            let minutes: Vec<_> = attempts.iter().map(|it| it.as_secs() / 60).collect();
            let in_hour = |hour| minutes.iter().filter(|it| **it / 60 == hour).count();
            assert!(
                in_hour(0) <= 12 + 5,
                "{cause}, {has_waiting_call}: {minutes:?}"
            );
            for hour in 1..24 {
                let count = in_hour(hour);
                assert!(
                    (3..=6).contains(&count),
                    "{cause}, {has_waiting_call}: {minutes:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn six_attempts_cover_a_restart_with_and_without_calls() {
        let dead = TransportError::StreamEnded;
        for (has_waiting_call, long) in [(true, 30), (false, 90)] {
            let attempts = attempts_at(&dead, has_waiting_call, 1).await;
            assert!(attempts[5] >= Duration::from_secs(long), "{attempts:?}");
        }
    }
}
