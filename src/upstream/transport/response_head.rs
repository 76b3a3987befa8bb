//! A request whose response has not begun. Meanwhile the server may send requests to the client, which may take
//! long to respond.

use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::{Activity, Deadlines};

/// A request that waits for the head of its response, a `T`. Dropping it aborts the request.
#[derive(Debug)]
pub(crate) struct ResponseHead<T> {
    /// `None` once the head has arrived.
    sending: Option<AbortOnDropHandle<Result<T, TransportError>>>,
    deadlines: Deadlines,
    activity: Activity,
    /// A timeout that was not returned to a caller yet.
    unreported_timeout: Option<TransportError>,
}

impl<T: Send + 'static> ResponseHead<T> {
    /// Spawns `sending` as a task.
    pub(crate) fn new(
        deadlines: Deadlines,
        activity: Activity,
        sending: impl Future<Output = Result<T, TransportError>> + Send + 'static,
    ) -> Self {
        Self {
            sending: Some(AbortOnDropHandle::new(tokio::spawn(sending))),
            deadlines,
            activity,
            unreported_timeout: None,
        }
    }

    /// Returns the request, whose next [`Self::wait`] immediately fails with this timeout.
    pub(crate) fn with_timeout(mut self, error: TransportError) -> Self {
        self.unreported_timeout = Some(error);
        self
    }

    /// Waits for the head. Can be called again after a timeout. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], when the request failed or timed out.
    pub(crate) async fn wait(&mut self) -> Result<T, TransportError> {
        if let Some(error) = self.unreported_timeout.take() {
            return Err(error);
        }
        let Some(sending) = &mut self.sending else {
            return Err(TransportError::StreamEnded);
        };
        let started = Instant::now();
        let sent = loop {
            let (deadline, timed_out) = self.deadlines.next_deadline(started, &self.activity);
            match timeout_at(deadline, &mut *sending).await {
                Ok(sent) => break sent,
                Err(_) if self.deadlines.next_deadline(started, &self.activity).0 > deadline => {}
                Err(_) => return Err(timed_out),
            }
        };
        self.sending = None;
        sent.unwrap_or(Err(TransportError::StreamEnded))
    }
}
