//! A request whose answer has not begun. Its client may be asked something first, and take its time.

use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::exchange::Exchange;
use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::{Activity, Deadlines};

/// A request on its way to its answer. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Opening {
    /// `None` once it has come to something.
    sending: Option<AbortOnDropHandle<Result<Exchange, TransportError>>>,
    deadlines: Deadlines,
    activity: Activity,
    /// That its time is over, which nobody was told yet.
    overdue: Option<TransportError>,
}

impl Opening {
    /// What `sending` sends goes on by itself.
    pub(crate) fn new(
        deadlines: Deadlines,
        activity: Activity,
        sending: impl Future<Output = Result<Exchange, TransportError>> + Send + 'static,
    ) -> Self {
        Self {
            sending: Some(AbortOnDropHandle::new(tokio::spawn(sending))),
            deadlines,
            activity,
            overdue: None,
        }
    }

    /// The same, which fails once for its silence before it is waited for again.
    pub(crate) fn overdue(mut self, silent: TransportError) -> Self {
        self.overdue = Some(silent);
        self
    }

    /// Waits for the answer, or the head of its stream. After a timeout it can be waited for again.
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Exchange, TransportError> {
        if let Some(silent) = self.overdue.take() {
            return Err(silent);
        }
        let Some(sending) = &mut self.sending else {
            return Err(TransportError::StreamEnded);
        };
        let begun = Instant::now();
        let sent = loop {
            let (due, silent) = self.deadlines.due(begun, &self.activity);
            match timeout_at(due, &mut *sending).await {
                Ok(sent) => break sent,
                Err(_) if self.deadlines.due(begun, &self.activity).0 > due => {}
                Err(_) => return Err(silent),
            }
        };
        self.sending = None;
        sent.unwrap_or(Err(TransportError::StreamEnded))
    }
}
