//! The deadlines of one request, and the activity that extends them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::net::ConnectTracker;
use crate::sync::Mutex;
use crate::upstream::error::TransportError;

/// The time of a request's last activity. Activity is a part of its response, or its progress, on any stream.
///
/// Cheap to clone; all clones belong to the same request.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Mutex<Option<Instant>>>);

impl Activity {
    /// Records activity now.
    pub fn touch(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    pub(crate) fn last(&self) -> Option<Instant> {
        *self.0.lock()
    }
}

/// How long an upstream may be silent while a request waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// From sending the request until its response begins.
    pub(crate) first_byte: Duration,
    /// Between two activities after that.
    pub(crate) idle: Duration,
}

impl Deadlines {
    /// Waits for the head of a response, which `sending` returns.
    ///
    /// The time while a connection is made does not count. Nothing was sent yet, and connecting has a timeout
    /// of its own.
    ///
    /// # Errors
    /// [`TransportError::FirstByteTimeout`] or [`TransportError::IdleTimeout`].
    pub(crate) async fn wait_for_head<T>(
        self,
        sending: impl Future<Output = T>,
        connect_tracker: &ConnectTracker,
        activity: &Activity,
    ) -> Result<T, TransportError> {
        let mut sending = std::pin::pin!(sending);
        let started = Instant::now();
        let mut deadline = started + self.first_byte;
        loop {
            if let Some(head) = connect_tracker.run_until(deadline, &mut sending).await {
                return Ok(head);
            }
            let timed_out;
            (deadline, timed_out) =
                self.next_deadline(connect_tracker.last_ended().unwrap_or(started), activity);
            if deadline <= Instant::now() {
                return Err(timed_out);
            }
        }
    }

    /// Returns the next deadline of a request that was sent at `since`, and the error to return then.
    pub(crate) fn next_deadline(
        self,
        since: Instant,
        activity: &Activity,
    ) -> (Instant, TransportError) {
        let Self { first_byte, idle } = self;
        match activity.last() {
            Some(last) => (last.max(since) + idle, TransportError::IdleTimeout(idle)),
            None => (
                since + first_byte,
                TransportError::FirstByteTimeout(first_byte),
            ),
        }
    }
}
