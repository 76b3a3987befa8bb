//! The state of a session, as its supervisor publishes it.

use std::sync::Arc;

use tokio::time::Instant;

use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// The state of a session.
#[derive(Debug)]
pub(crate) enum State {
    /// The session was not started yet.
    Idle,
    /// The handshake is under way.
    Connecting {
        /// Whether the server has sent anything yet.
        has_responded: bool,
        /// Why the previous attempt failed, if it did.
        previous_failure: Option<TransportError>,
    },
    /// Requests can be sent.
    Ready(Arc<Connection>),
    /// The last attempt has failed; the supervisor goes on to retry.
    Disconnected(Disconnected),
}

/// A failed attempt, and when the next one is made.
#[derive(Debug, Clone)]
pub(crate) struct Disconnected {
    /// Why it failed.
    pub(crate) cause: TransportError,
    /// The number of the attempt.
    pub(crate) attempt: u64,
    /// When the next attempt is scheduled, if the retry budget allows it.
    pub(crate) retry_at: Instant,
    /// The earliest time of the next attempt for a call that has waited for a failed one.
    pub(crate) retry_at_if_waiting: Instant,
    /// The earliest time of the next attempt for a new call: immediately, unless the server requested a pause.
    pub(crate) retry_at_if_new_call: Instant,
}

impl Disconnected {
    /// Returns the final state of a session: no attempt follows.
    pub(crate) fn shut_down() -> Self {
        let now = Instant::now();
        Self {
            cause: TransportError::ShuttingDown,
            attempt: u64::MAX,
            retry_at: now,
            retry_at_if_waiting: now,
            retry_at_if_new_call: now,
        }
    }
}

/// A connection that was reported as lost.
#[derive(Debug)]
pub(crate) struct LostConnection {
    pub(crate) generation: u64,
    pub(crate) cause: TransportError,
}

/// How an attempt, or the connection that it made, ended.
#[derive(Debug)]
pub(crate) struct ConnectionEnd {
    pub(crate) cause: TransportError,
    /// Whether the tools were read. A connection whose first listing fails counts as a failed attempt.
    pub(crate) had_tools: bool,
    /// Whether the connection has proved that the server works.
    pub(crate) was_stable: bool,
}

impl ConnectionEnd {
    pub(crate) fn handshake_failed(cause: TransportError) -> Self {
        Self {
            cause,
            had_tools: false,
            was_stable: false,
        }
    }

    pub(crate) fn is_expired(&self) -> bool {
        matches!(self.cause, TransportError::SessionExpired)
    }
}
