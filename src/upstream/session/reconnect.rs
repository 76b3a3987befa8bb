//! The supervisor's state between attempts, and its decision after each attempt.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, warn};

use super::backoff::{Backoff, Delays};
use super::context::SessionContext;
use super::retry_budget::RetryBudget;
use super::state::{ConnectionEnd, Disconnected};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// The supervisor's state between attempts.
#[derive(Default)]
pub(crate) struct ReconnectState {
    pub(crate) backoff: Backoff,
    /// Whether the log has the lack of a connection.
    reported: bool,
    /// The last reported reason why the user has to act.
    reported_action: Option<String>,
    /// Why the last attempt or connection ended.
    pub(crate) cause: Option<TransportError>,
    /// The connection that was lost. The server may still have its session.
    pub(crate) previous: Option<Arc<Connection>>,
}

impl ReconnectState {
    /// Decides what follows: an immediate attempt, which is `None`, or a pause.
    pub(crate) fn plan_next_attempt(
        &mut self,
        budget: &RetryBudget,
        ended: ConnectionEnd,
        attempt: u64,
    ) -> Option<Disconnected> {
        let ConnectionEnd {
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
            // A connection that did not last is no failed attempt: the delays limit its rate.
            budget.refund();
        }
        self.reported &= !had_tools;
        let is_first_failure = had_tools && self.backoff.failures == 0;
        // A request has just found the loss, and the server may be back already.
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

    /// Logs that there is no connection, with one warning for each cause.
    fn report(&mut self, budget: &RetryBudget, disconnected: &Disconnected, scheduled: Duration) {
        let cause = &disconnected.cause;
        // The sign-in has already reported the page that the user has to open.
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
            // A failure after the sign-in is a new failure.
            (self.backoff, self.reported) = (Backoff::default(), false);
        }
    }

    /// Closes the session of the previous connection, if the server can be reached.
    pub(crate) fn close_previous_if_reachable(
        &mut self,
        context: &SessionContext,
        cancel: &CancellationToken,
    ) {
        if !matches!(self.cause, Some(TransportError::Connect(_))) {
            self.close_previous(context, cancel);
        }
    }

    /// Closes the session of the previous connection in the background, once no call uses it.
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
