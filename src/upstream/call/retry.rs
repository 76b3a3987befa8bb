//! What one call has behind it, and what it does about a refusal: waits, and is sent again, as long as
//! that runs nothing twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::send::SentRequest;
use crate::oauth::Authorizer;
use crate::upstream::connection::ConnectionUse;
use crate::upstream::error::TransportError;
use crate::upstream::session::backoff::FIRST_DELAY;
use crate::upstream::session::command::Command;
use crate::upstream::session::handle::SessionHandle;
use crate::upstream::session::settings::UpstreamSettings;
use crate::upstream::transport::refusal_hint::RefusalHint;

/// How long a call waits for a person who is signing in; the login goes on after that.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How many logins one call waits for: one to be let in, and some for more scopes.
const MAX_LOGINS: u32 = 3;

/// How one call stands.
#[derive(Debug)]
pub(crate) struct RetryState {
    begun: Instant,
    /// The generation after which a connection counts.
    pub(crate) after: u64,
    /// Until when it waits for a connection; set by the first wait.
    deadline: Option<Instant>,
    /// How long it may wait in all for a server that is busy.
    timeout: Duration,
    connect_wait: Duration,
    /// Whether its session was found to be gone, or its server to be another.
    is_renewed: bool,
    logins: u32,
    /// The shortest time that it waits for a server that is busy: longer every time.
    pause: Duration,
}

/// A request that was sent, or why that came to nothing.
type Tried = Result<SentRequest, TransportError>;

impl RetryState {
    pub(crate) fn new(settings: &UpstreamSettings) -> Self {
        Self {
            begun: Instant::now(),
            after: 0,
            deadline: None,
            timeout: settings.config.timeout,
            connect_wait: settings.connect_wait(),
            is_renewed: false,
            logins: 0,
            pause: FIRST_DELAY,
        }
    }

    /// It needs a connection after this one.
    pub(crate) fn after(&mut self, generation: u64) {
        self.after = generation;
    }

    /// It goes on in another session.
    pub(crate) fn restart(&mut self) {
        (self.after, self.is_renewed) = (0, false);
    }

    /// Until when it waits for a connection.
    pub(crate) fn deadline(&mut self) -> Instant {
        let wait = self.connect_wait;
        *self.deadline.get_or_insert_with(|| Instant::now() + wait)
    }

    /// Waits a while for the person who is about to sign in.
    ///
    /// # Errors
    /// What came of it, or the `cause` if nothing did.
    pub(crate) async fn wait_for_login(
        &mut self,
        authorizer: Option<&Arc<Authorizer>>,
        cause: TransportError,
    ) -> Result<(), TransportError> {
        let Some(authorizer) = authorizer else {
            return Err(cause);
        };
        if self.logins >= MAX_LOGINS {
            return Err(cause);
        }
        match timeout(LOGIN_TIMEOUT, authorizer.wait_until_login_ends()).await {
            Err(_) => return Err(cause),
            Ok(over) => over.map_err(TransportError::SignIn)?,
        }
        self.logins += 1;
        self.deadline = None;
        Ok(())
    }

    /// Does what has to be done before a refused request is sent again; gives it back when it is not to be.
    pub(crate) async fn handle_refusal(
        &mut self,
        settings: &UpstreamSettings,
        session: &SessionHandle,
        live: ConnectionUse,
        tried: Tried,
    ) -> Option<Tried> {
        let generation = live.generation;
        // A session that is waited for is not in use.
        drop(live);
        let cause = match tried {
            Ok(sent) => {
                return self
                    .take_hint(sent.exchange.refusal_hint(), session, generation, Ok(sent))
                    .await;
            }
            Err(cause) => cause,
        };
        match &cause {
            TransportError::SessionExpired if !self.is_renewed => {
                debug!("the session is gone; asking for a new one");
                self.renew(session, generation, &cause);
                None
            }
            // Nothing was sent: it restarts, or the network is another.
            TransportError::Connect(_) if Instant::now() < self.deadline() => {
                debug!(error = %cause, "the connection is gone; asking for a new one");
                session.report_lost(generation, &cause);
                self.after(generation);
                None
            }
            cause_ if cause_.is_signing_in() => {
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
                self.take_hint(hint, session, generation, Err(cause)).await
            }
        }
    }

    fn renew(&mut self, session: &SessionHandle, generation: u64, cause: &TransportError) {
        session.report_lost(generation, cause);
        self.is_renewed = true;
        self.after(generation);
    }

    async fn take_hint(
        &mut self,
        hint: Option<RefusalHint>,
        session: &SessionHandle,
        generation: u64,
        tried: Tried,
    ) -> Option<Tried> {
        match hint {
            Some(RefusalHint::RetryAfter(asked)) => {
                let Some(wait) = self.wait_of(asked) else {
                    return Some(tried);
                };
                // It goes on to count among those that run there: others would be refused as well.
                drop(tried);
                debug!(?wait, "the upstream is busy; sending it later");
                sleep(wait).await;
                self.deadline = None;
                None
            }
            Some(RefusalHint::OtherEra) if !self.is_renewed => {
                if !session.check_revision(generation, self.left()).await {
                    return Some(tried);
                }
                debug!("the upstream is another by now; sending it once more");
                self.is_renewed = true;
                self.after(generation);
                None
            }
            _ => Some(tried),
        }
    }

    /// How long it may still wait.
    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.begun.elapsed())
    }

    /// How long to wait for a server that wants to be asked after this time: no less, and a little more,
    /// so that not all come back at once; `None` when the time of the call is over by then.
    fn wait_of(&mut self, asked: Duration) -> Option<Duration> {
        let least = asked.max(self.pause);
        let left = self.left();
        self.pause = self.pause.saturating_mul(2);
        let jitter = (least / 10)
            .min(Duration::from_secs(5))
            .mul_f64(fastrand::f64());
        (least < left).then(|| (least + jitter).min(left))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn turn(timeout: u64) -> RetryState {
        RetryState {
            begun: Instant::now(),
            after: 0,
            deadline: None,
            timeout: Duration::from_secs(timeout),
            connect_wait: Duration::from_secs(25),
            is_renewed: false,
            logins: 0,
            pause: FIRST_DELAY,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_is_given_the_time_that_it_asks_for_and_ever_more() {
        let mut turn = turn(300);
        let asked = Duration::from_secs(7);
        for least in [7, 7, 7, 8, 16] {
            let wait = turn.wait_of(asked).unwrap();
            assert!(wait >= Duration::from_secs(least), "{wait:?}");
            assert!(wait <= Duration::from_secs(least).mul_f64(1.1), "{wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_for_nothing_is_asked_a_few_times_only() {
        let mut turn = turn(300);
        let mut sent = 0;
        while let Some(wait) = turn.wait_of(Duration::ZERO) {
            sent += 1;
            advance(wait).await;
        }
        assert!((7..=9).contains(&sent), "{sent}");
        assert!(turn.begun.elapsed() <= Duration::from_secs(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_beyond_that_of_the_call_is_not_waited_for() {
        assert_eq!(turn(30).wait_of(Duration::from_secs(30)), None);
        assert_eq!(turn(30).wait_of(Duration::MAX), None);
        let mut late = turn(30);
        advance(Duration::from_secs(25)).await;
        assert_eq!(late.wait_of(Duration::from_secs(6)), None);
        let wait = late.wait_of(Duration::from_secs(4)).unwrap();
        assert!(wait <= Duration::from_secs(5), "{wait:?}");
    }
}
