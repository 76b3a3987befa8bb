//! A request whose answer has not begun. Its client may be asked something first, and take its time.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::error::TransportError;
use super::exchange::Exchange;

/// A request on its way to the head of its answer. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Opening {
    /// `None` once it has come to something.
    sending: Option<AbortOnDropHandle<Result<Exchange, TransportError>>>,
    idle: Duration,
    /// Whether its time is over, which nobody was told yet.
    overdue: bool,
}

impl Opening {
    /// What `sending` sends goes on by itself, and may be silent for `idle`.
    pub(crate) fn new(
        idle: Duration,
        sending: impl Future<Output = Result<Exchange, TransportError>> + Send + 'static,
    ) -> Self {
        Self {
            sending: Some(AbortOnDropHandle::new(tokio::spawn(sending))),
            idle,
            overdue: false,
        }
    }

    /// The same, which fails once for its silence before it is waited for again.
    pub(crate) fn overdue(mut self) -> Self {
        self.overdue = true;
        self
    }

    /// Waits for the head of the answer. After a timeout it can be waited for again. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Exchange, TransportError> {
        let silent = TransportError::Timeout(self.idle);
        if std::mem::take(&mut self.overdue) {
            return Err(silent);
        }
        let Some(sending) = &mut self.sending else {
            return Err(TransportError::StreamEnded);
        };
        let sent = timeout(self.idle, sending).await.map_err(|_| silent)?;
        self.sending = None;
        sent.unwrap_or(Err(TransportError::StreamEnded))
    }
}
