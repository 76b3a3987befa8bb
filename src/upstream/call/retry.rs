//! The retries of one call: decides whether a refused request is sent again, and waits until then. A request
//! that may have run is not sent again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::send::SentRequest;
use crate::oauth::Authorizer;
use crate::upstream::connection::ConnectionUse;
use crate::upstream::error::TransportError;
use crate::upstream::session::backoff::INITIAL_DELAY;
use crate::upstream::session::command::Command;
use crate::upstream::session::handle::SessionHandle;
use crate::upstream::session::settings::UpstreamSettings;
use crate::upstream::transport::refusal_hint::RefusalHint;

/// How long a call waits for the user to sign in. The sign-in goes on after that.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How many sign-ins one call waits for: the first, and some for additional scopes.
const MAX_LOGIN_WAITS: u32 = 3;

/// The retries of one call so far.
#[derive(Debug)]
pub(crate) struct RetryState {
    started_at: Instant,
    /// The generation of a connection that the call must not use; only newer ones count.
    pub(crate) stale_generation: u64,
    /// When the call stops waiting for a connection; set by the first wait.
    connect_deadline: Option<Instant>,
    /// How long the call may wait in all for a busy server.
    timeout: Duration,
    connect_wait: Duration,
    /// Whether the call has already reconnected for an expired session or a different server.
    has_reconnected: bool,
    login_waits: u32,
    /// The shortest time that the call waits for a busy server. It doubles with each wait.
    min_busy_delay: Duration,
}

/// A request that was sent, or why it failed.
type SendResult = Result<SentRequest, TransportError>;

impl RetryState {
    pub(crate) fn new(settings: &UpstreamSettings) -> Self {
        Self {
            started_at: Instant::now(),
            stale_generation: 0,
            connect_deadline: None,
            timeout: settings.config.timeout,
            connect_wait: settings.connect_wait(),
            has_reconnected: false,
            login_waits: 0,
            min_busy_delay: INITIAL_DELAY,
        }
    }

    /// Restricts the call to connections of later generations than this one.
    pub(crate) fn require_newer_than(&mut self, generation: u64) {
        self.stale_generation = generation;
    }

    /// Starts over in another session.
    pub(crate) fn restart(&mut self) {
        (self.stale_generation, self.has_reconnected) = (0, false);
    }

    /// Starts the wait for a connection, unless it has started. Returns its deadline.
    pub(crate) fn ensure_connect_deadline(&mut self) -> Instant {
        let wait = self.connect_wait;
        *self
            .connect_deadline
            .get_or_insert_with(|| Instant::now() + wait)
    }

    /// Waits up to [`LOGIN_TIMEOUT`] for the user to sign in.
    ///
    /// # Errors
    /// The error of a sign-in that failed, or `cause` if no sign-in ended in time.
    pub(crate) async fn wait_for_login(
        &mut self,
        authorizer: Option<&Arc<Authorizer>>,
        cause: TransportError,
    ) -> Result<(), TransportError> {
        let Some(authorizer) = authorizer else {
            return Err(cause);
        };
        if self.login_waits >= MAX_LOGIN_WAITS {
            return Err(cause);
        }
        match timeout(LOGIN_TIMEOUT, authorizer.wait_until_login_ends()).await {
            Err(_) => return Err(cause),
            Ok(over) => over.map_err(TransportError::SignIn)?,
        }
        self.login_waits += 1;
        self.connect_deadline = None;
        Ok(())
    }

    /// Waits until a refused request can be sent again. Returns the result of the request if it must not be.
    pub(crate) async fn handle_refusal(
        &mut self,
        settings: &UpstreamSettings,
        session: &SessionHandle,
        connection: ConnectionUse,
        result: SendResult,
    ) -> Option<SendResult> {
        let generation = connection.generation;
        // A call that waits does not keep its session in use.
        drop(connection);
        let cause = match result {
            Ok(sent) => {
                return self
                    .handle_hint(sent.exchange.refusal_hint(), session, generation, Ok(sent))
                    .await;
            }
            Err(cause) => cause,
        };
        match &cause {
            TransportError::SessionExpired if !self.has_reconnected => {
                debug!("session expired; waiting for a new one");
                self.replace_session(session, generation, &cause);
                None
            }
            // Nothing was sent: the server restarts, or the network has changed.
            TransportError::Connect(_) if Instant::now() < self.ensure_connect_deadline() => {
                debug!(error = %cause, "connection lost; waiting for a new one");
                session.report_lost(generation, &cause);
                self.require_newer_than(generation);
                None
            }
            _ if cause.is_signing_in() => {
                let waited = self
                    .wait_for_login(settings.authorizer.as_ref(), cause)
                    .await;
                waited.err().map(Err)
            }
            TransportError::Interrupted(_) => {
                session.commands.send(Command::Verify);
                Some(Err(cause))
            }
            _ => {
                let hint = RefusalHint::from_error(&cause);
                self.handle_hint(hint, session, generation, Err(cause))
                    .await
            }
        }
    }

    fn replace_session(
        &mut self,
        session: &SessionHandle,
        generation: u64,
        cause: &TransportError,
    ) {
        session.report_lost(generation, cause);
        self.has_reconnected = true;
        self.require_newer_than(generation);
    }

    async fn handle_hint(
        &mut self,
        hint: Option<RefusalHint>,
        session: &SessionHandle,
        generation: u64,
        result: SendResult,
    ) -> Option<SendResult> {
        match hint {
            Some(RefusalHint::RetryAfter(requested)) => {
                let Some(wait) = self.next_busy_delay(requested) else {
                    return Some(result);
                };
                // The call keeps its permit: the server would refuse other calls as well.
                drop(result);
                debug!(?wait, "server busy; retrying later");
                sleep(wait).await;
                self.connect_deadline = None;
                None
            }
            Some(RefusalHint::OtherEra) if !self.has_reconnected => {
                if !session
                    .wait_for_revision_check(generation, self.remaining_time())
                    .await
                {
                    return Some(result);
                }
                debug!("another server has replaced this one; sending the request again");
                self.has_reconnected = true;
                self.require_newer_than(generation);
                None
            }
            _ => Some(result),
        }
    }

    /// Returns how long the call may still wait.
    fn remaining_time(&self) -> Duration {
        self.timeout.saturating_sub(self.started_at.elapsed())
    }

    /// Returns how long to wait for a busy server that asked for the pause `requested`. Adds some jitter, so that
    /// not all calls return at once. Returns `None` if the call times out before.
    fn next_busy_delay(&mut self, requested: Duration) -> Option<Duration> {
        let least = requested.max(self.min_busy_delay);
        let remaining_time = self.remaining_time();
        self.min_busy_delay = self.min_busy_delay.saturating_mul(2);
        let jitter = (least / 10)
            .min(Duration::from_secs(5))
            .mul_f64(fastrand::f64());
        (least < remaining_time).then(|| (least + jitter).min(remaining_time))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn retry_state(timeout: u64) -> RetryState {
        RetryState {
            started_at: Instant::now(),
            stale_generation: 0,
            connect_deadline: None,
            timeout: Duration::from_secs(timeout),
            connect_wait: Duration::from_secs(25),
            has_reconnected: false,
            login_waits: 0,
            min_busy_delay: INITIAL_DELAY,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn busy_server_gets_the_pause_it_asks_for_and_longer_ones() {
        let mut retry = retry_state(300);
        let requested = Duration::from_secs(7);
        for least in [7, 7, 7, 8, 16] {
            let wait = retry.next_busy_delay(requested).unwrap();
            assert!(wait >= Duration::from_secs(least), "{wait:?}");
            assert!(wait <= Duration::from_secs(least).mul_f64(1.1), "{wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn busy_server_without_a_pause_gets_few_requests() {
        let mut retry = retry_state(300);
        let mut sent = 0;
        while let Some(wait) = retry.next_busy_delay(Duration::ZERO) {
            sent += 1;
            advance(wait).await;
        }
        assert!((7..=9).contains(&sent), "{sent}");
        assert!(retry.started_at.elapsed() <= Duration::from_secs(300));
    }

    #[tokio::test(start_paused = true)]
    async fn pause_beyond_the_timeout_of_the_call_is_not_waited_for() {
        assert_eq!(
            retry_state(30).next_busy_delay(Duration::from_secs(30)),
            None
        );
        assert_eq!(retry_state(30).next_busy_delay(Duration::MAX), None);
        let mut late = retry_state(30);
        advance(Duration::from_secs(25)).await;
        assert_eq!(late.next_busy_delay(Duration::from_secs(6)), None);
        let wait = late.next_busy_delay(Duration::from_secs(4)).unwrap();
        assert!(wait <= Duration::from_secs(5), "{wait:?}");
    }
}
