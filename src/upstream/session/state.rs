//! Where a session stands, as its supervisor publishes it.

use std::sync::Arc;

use tokio::time::Instant;

use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// Where a session stands.
#[derive(Debug)]
pub(crate) enum State {
    /// The session was not started yet.
    Idle,
    /// The handshake is under way.
    Connecting {
        /// Whether the server has sent anything yet.
        has_responded: bool,
        /// Why the attempt before failed, if it did.
        previous_failure: Option<TransportError>,
    },
    /// Requests can be sent.
    Ready(Arc<Connection>),
    /// The last attempt failed; another follows by itself.
    Disconnected(Disconnected),
}

/// An attempt that failed, and when the next one is made.
#[derive(Debug, Clone)]
pub(crate) struct Disconnected {
    /// Why it failed.
    pub(crate) cause: TransportError,
    /// The number of the attempt.
    pub(crate) attempt: u64,
    /// When the next one is made by itself, the retry budget aside.
    pub(crate) retry_at: Instant,
    /// When it is made at the earliest for a call that has waited for one that failed.
    pub(crate) retry_at_if_waiting: Instant,
    /// The same for a call that has not: at once, unless the server asked for a pause.
    pub(crate) retry_at_if_new_call: Instant,
}

impl Disconnected {
    /// The last state of a session: no attempt follows.
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

/// A connection that is known to be gone.
#[derive(Debug)]
pub(crate) struct LostConnection {
    pub(crate) generation: u64,
    pub(crate) cause: TransportError,
}

/// How an attempt ended, or the connection that it made.
#[derive(Debug)]
pub(crate) struct Disconnect {
    pub(crate) cause: TransportError,
    /// Whether the tools were read. A connection that fails at that never counted as up.
    pub(crate) had_tools: bool,
    /// Whether the connection has proved that the server can be used.
    pub(crate) was_stable: bool,
}

impl Disconnect {
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
