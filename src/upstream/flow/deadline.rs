//! Signs of life of one request, whatever the stream that they come on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::Making;
use crate::upstream::error::TransportError;

/// When a request last showed life: its answer began, or more of it came, or its progress, be that on
/// another stream. Cheap to clone; all clones mean the same request.
// std's Mutex: held for an assignment, never across an await.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    /// Notes a sign of life.
    pub fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an upstream may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Before its answer begins, from when the request was sent.
    pub(crate) first_byte: Duration,
    /// Between two signs of life after that.
    pub(crate) idle: Duration,
}

impl Patience {
    /// Waits for the head of an answer, which `doing` gets. Until a connection was made, which has a
    /// limit of its own, nothing was sent.
    ///
    /// # Errors
    /// [`TransportError::FirstByte`] or [`TransportError::Timeout`], when it takes too long.
    pub(crate) async fn head<T>(
        self,
        doing: impl Future<Output = T>,
        making: &Making,
        pulse: &Pulse,
    ) -> Result<T, TransportError> {
        let mut doing = std::pin::pin!(doing);
        let begun = Instant::now();
        let mut due = begun + self.first_byte;
        loop {
            if let Some(done) = making.done_by(due, &mut doing).await {
                return Ok(done);
            }
            let silent;
            (due, silent) = self.due(making.ended().unwrap_or(begun), pulse);
            if due <= Instant::now() {
                return Err(silent);
            }
        }
    }

    /// When a request that was sent, or is waited for, since then has been silent for too long, and the
    /// error for it.
    pub(crate) fn due(self, since: Instant, pulse: &Pulse) -> (Instant, TransportError) {
        let Self { first_byte, idle } = self;
        match pulse.last() {
            Some(last) => (last.max(since) + idle, TransportError::Timeout(idle)),
            None => (since + first_byte, TransportError::FirstByte(first_byte)),
        }
    }
}
