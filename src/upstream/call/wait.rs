//! Waits for the connection of a disconnected upstream. All calls share the attempts of the supervisor. A call
//! fails at once if no attempt can be made in time, or if none would help.

use tokio::time::{Instant, timeout_at};

use super::retry::RetryState;
use crate::upstream::connection::{Connection, ConnectionUse};
use crate::upstream::error::TransportError;
use crate::upstream::session::command::{Command, Urgency};
use crate::upstream::session::handle::SessionHandle;
use crate::upstream::session::settings::UpstreamSettings;
use crate::upstream::session::state::{Disconnected, State};

/// The state of a session as a waiting call sees it.
enum ObservedState {
    Ready(ConnectionUse),
    /// The last attempt has failed.
    Disconnected(Disconnected),
    /// An attempt is under way. Holds why the one before failed, if it did.
    Connecting(Option<TransportError>),
}

/// Returns a connection for this call. Waits for one if the session has none that the call can use.
pub(crate) async fn acquire_connection(
    settings: &UpstreamSettings,
    session: &SessionHandle,
    retry: &mut RetryState,
) -> Result<ConnectionUse, TransportError> {
    let stale_generation = retry.stale_generation;
    let can_use = |connection: &ConnectionUse| is_usable(settings, connection, stale_generation);
    match session.connection().filter(can_use) {
        Some(connection) => Ok(connection),
        // Boxed: large, and on the path of every call.
        None => {
            let deadline = retry.ensure_connect_deadline();
            Box::pin(wait_for_newer_connection(
                settings,
                session,
                stale_generation,
                deadline,
            ))
            .await
        }
    }
}

/// Returns `true` if a call that needs a connection newer than `generation` can use this one.
fn is_usable(settings: &UpstreamSettings, connection: &Connection, generation: u64) -> bool {
    connection.generation > generation && connection.is_usable_after_suspend(&settings.http_clients)
}

/// Waits for a connection newer than `generation`.
///
/// If the session is disconnected, requests an attempt. As long as the cause of the failure is transient,
/// requests further attempts.
async fn wait_for_newer_connection(
    settings: &UpstreamSettings,
    session: &SessionHandle,
    generation: u64,
    deadline: Instant,
) -> Result<ConnectionUse, TransportError> {
    let mut state = session.watch();
    let (mut last_cause, mut first_attempt, mut has_failed) = (None, None, false);
    loop {
        let observed = match &*state.borrow_and_update() {
            State::Ready(connection) if is_usable(settings, connection, generation) => {
                ObservedState::Ready(connection.begin_use())
            }
            State::Disconnected(disconnected) => ObservedState::Disconnected(disconnected.clone()),
            State::Connecting {
                previous_failure, ..
            } => ObservedState::Connecting(previous_failure.clone()),
            // The session was not started, or its supervisor is about to notice that the connection is unusable.
            State::Idle | State::Ready(_) => ObservedState::Connecting(None),
        };
        let next_attempt_at = match observed {
            ObservedState::Ready(connection) => return Ok(connection),
            ObservedState::Disconnected(disconnected) => {
                has_failed |=
                    *first_attempt.get_or_insert(disconnected.attempt) != disconnected.attempt;
                let (urgency, next_attempt_at) = match has_failed {
                    true => (Urgency::Waiting, disconnected.retry_at_if_waiting),
                    false => (Urgency::NewCall, disconnected.retry_at_if_new_call),
                };
                let next_attempt_at =
                    next_attempt_at.max(settings.retry_budget.next_available_at());
                if !is_worth_waiting(&disconnected.cause, has_failed, next_attempt_at, deadline) {
                    let retry_in = next_attempt_at.saturating_duration_since(Instant::now());
                    return Err(disconnected.cause.into_disconnected(Some(retry_in)));
                }
                last_cause = Some(disconnected.cause);
                session.commands.send(Command::Connect(urgency));
                Some(next_attempt_at)
            }
            ObservedState::Connecting(previous_failure) => {
                last_cause = previous_failure.or(last_cause);
                // The call sees the outcome of this attempt.
                has_failed = true;
                None
            }
        };
        match timeout_at(deadline, state.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(TransportError::ShuttingDown),
            Err(_) => {
                let cause = last_cause.filter(|cause| !cause.requires_user_action());
                let retry_in =
                    next_attempt_at.map(|at| at.saturating_duration_since(Instant::now()));
                let not_ready = TransportError::ConnectWaitElapsed(settings.connect_wait());
                return Err(cause.unwrap_or(not_ready).into_disconnected(retry_in));
            }
        }
    }
}

/// Returns `true` if the call should wait for the attempt at `next_attempt_at`. If the cause is not transient,
/// a call that has not seen an attempt fail gets one immediate attempt.
fn is_worth_waiting(
    cause: &TransportError,
    has_failed: bool,
    next_attempt_at: Instant,
    deadline: Instant,
) -> bool {
    match cause {
        TransportError::ShuttingDown => false,
        cause if cause.is_transient() => next_attempt_at <= deadline,
        _ => !has_failed && next_attempt_at <= Instant::now(),
    }
}
