//! What the supervisor remembers from one attempt to the next, and what follows one that ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, warn};

use super::backoff::{Backoff, Delays};
use super::context::SessionContext;
use super::retry_budget::RetryBudget;
use super::state::{Disconnect, Disconnected};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// What the supervisor remembers from one attempt to the next.
#[derive(Default)]
pub(crate) struct ReconnectState {
    pub(crate) backoff: Backoff,
    /// Whether it was reported that there is no connection.
    reported: bool,
    /// Why the user has to act, as it was reported last.
    reported_action: Option<String>,
    /// Why there is no connection now.
    pub(crate) cause: Option<TransportError>,
    /// The connection that was lost, which may have a session still.
    pub(crate) previous: Option<Arc<Connection>>,
}

impl ReconnectState {
    /// Decides what follows: another attempt at once, which is `None`, or a pause.
    pub(crate) fn plan_next_attempt(
        &mut self,
        budget: &RetryBudget,
        ended: Disconnect,
        attempt: u64,
    ) -> Option<Disconnected> {
        let Disconnect {
            cause,
            had_tools,
            was_stable,
        } = ended;
        self.cause = Some(cause.clone());
        if was_stable {
            self.backoff = Backoff::default();
            budget.reset();
        }
        if had_tools {
            // What did not last has not failed: the pauses are enough of a brake.
            budget.refund();
        }
        self.reported &= !had_tools;
        let is_first_failure = had_tools && self.backoff.failures == 0;
        // Somebody has just found out, and it may be back already.
        let was_found_by_request = matches!(
            cause,
            TransportError::SessionExpired | TransportError::Connect(_)
        );
        let mut next = self.backoff;
        let delays = next.next_delays(&cause);
        if !(was_stable && was_found_by_request) {
            self.backoff = next;
        }
        if is_first_failure && was_found_by_request && budget.try_acquire() {
            match cause {
                TransportError::SessionExpired => info!("session expired; opening a new one"),
                _ => info!(error = %cause, "connection lost; connecting again"),
            }
            return None;
        }
        let Delays {
            scheduled,
            for_waiting_call,
            for_new_call,
        } = delays;
        let now = Instant::now();
        let earliest = |delay| if is_first_failure { now } else { now + delay };
        let disconnected = Disconnected {
            cause,
            attempt,
            retry_at: now + scheduled,
            retry_at_if_waiting: earliest(for_waiting_call),
            retry_at_if_new_call: earliest(for_new_call),
        };
        self.report(budget, &disconnected, scheduled);
        Some(disconnected)
    }

    /// Warns once for each cause.
    fn report(&mut self, budget: &RetryBudget, disconnected: &Disconnected, scheduled: Duration) {
        let cause = &disconnected.cause;
        // Where a person has to go was told by the login.
        let is_reported_by_login =
            matches!(cause, TransportError::SignIn(error) if error.url().is_some());
        let reason = cause.requires_user_action().then(|| cause.to_string());
        let is_new_action = reason.is_some() && reason != self.reported_action;
        self.reported_action = reason;
        let delay = scheduled.max(budget.next_available_at() - Instant::now());
        match !is_reported_by_login
            && (is_new_action || !std::mem::replace(&mut self.reported, true))
        {
            true => warn!(error = %cause, retry_in = ?delay, "not connected"),
            false => debug!(error = %cause, retry_in = ?delay, "still not connected"),
        }
        if is_reported_by_login {
            // What goes wrong once somebody has signed in is news.
            (self.backoff, self.reported) = (Backoff::default(), false);
        }
    }

    /// Ends the session of the connection before, if its server can be reached.
    pub(crate) fn close_previous_if_reachable(
        &mut self,
        context: &SessionContext,
        cancel: &CancellationToken,
    ) {
        if !matches!(self.cause, Some(TransportError::Connect(_))) {
            self.close_previous(context, cancel);
        }
    }

    /// Ends the session of the connection before, beside everything else, once no call is under way in it.
    pub(crate) fn close_previous(&mut self, context: &SessionContext, cancel: &CancellationToken) {
        let Some(previous) = self.previous.take() else {
            return;
        };
        let cancel = cancel.clone();
        let close = async move {
            let unused = previous.wait_until_unused();
            cancel.run_until_cancelled(unused).await;
            previous.transport.close().await;
        };
        context.tasks.spawn(close.in_current_span());
    }
}
