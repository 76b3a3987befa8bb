//! The requests that wait for a response on a shared event stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::sync::Mutex;
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// The pending requests of one connection. Cheap to clone; the requests and the stream's reader share it.
#[derive(Debug, Clone)]
pub(crate) struct PendingResponses(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// The requests by id; `None` once the stream is closed.
    requests: Mutex<Option<HashMap<u64, oneshot::Sender<Message>>>>,
    /// When the stream last carried a message other than the response to a ping.
    last_activity: Mutex<Instant>,
}

impl PendingResponses {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Table {
            requests: Mutex::new(Some(HashMap::new())),
            last_activity: Mutex::new(Instant::now()),
        }))
    }

    /// Returns `true` if no request waits for a response.
    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.0.requests.lock();
        waiting.as_ref().is_none_or(HashMap::is_empty)
    }

    /// Registers a request before it is sent, with its idle timeout.
    ///
    /// # Errors
    /// [`TransportError::SessionExpired`], when the stream is closed.
    pub(crate) fn register(
        &self,
        id: u64,
        idle: Duration,
    ) -> Result<PendingResponse, TransportError> {
        let (sender, response) = oneshot::channel();
        match &mut *self.0.requests.lock() {
            Some(waiting) => drop(waiting.insert(id, sender)),
            None => return Err(TransportError::SessionExpired),
        }
        Ok(PendingResponse {
            id,
            response,
            early: None,
            idle,
            pending: self.clone(),
        })
    }

    /// Delivers a response to the request that waits for it.
    pub(crate) fn deliver(&self, response: Message) {
        let id = response
            .id()
            .and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok());
        let waiting = id.and_then(|id: u64| self.0.requests.lock().as_mut()?.remove(&id));
        match waiting {
            Some(waiting) => {
                self.touch();
                drop(waiting.send(response));
            }
            // The response to a ping does not extend the deadlines of pending requests.
            None => debug!(?id, "ignoring a response to no pending request"),
        }
    }

    /// Records activity of the stream for all pending requests.
    pub(crate) fn touch(&self) {
        *self.0.last_activity.lock() = Instant::now();
    }

    /// Fails all pending requests: the stream is closed.
    pub(crate) fn close(&self) {
        *self.0.requests.lock() = None;
    }
}

/// A response that is expected on the shared stream. Dropping it unregisters the request.
#[derive(Debug)]
pub(crate) struct PendingResponse {
    id: u64,
    response: oneshot::Receiver<Message>,
    /// The response, if it arrived before the POST had returned.
    early: Option<Message>,
    idle: Duration,
    pending: PendingResponses,
}

impl PendingResponse {
    /// Waits for the response while its request is being sent, and stores it for [`Self::wait`]. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError::StreamEnded`], when the stream was closed.
    pub(crate) async fn wait_until_arrived(&mut self) -> Result<(), TransportError> {
        let response = (&mut self.response).await;
        self.early = Some(response.map_err(|_| TransportError::StreamEnded)?);
        Ok(())
    }

    /// Waits for the response until the stream is closed or the idle timeout is over.
    pub(crate) async fn wait(&mut self) -> Result<Message, TransportError> {
        if let Some(message) = self.early.take() {
            return Ok(message);
        }
        let started = Instant::now();
        loop {
            let last = *self.pending.0.last_activity.lock();
            let left = self.idle.saturating_sub(last.max(started).elapsed());
            if left.is_zero() {
                return Err(TransportError::IdleTimeout(self.idle));
            }
            match timeout(left, &mut self.response).await {
                Ok(response) => return response.map_err(|_| TransportError::StreamEnded),
                Err(_) => continue,
            }
        }
    }
}

impl Drop for PendingResponse {
    fn drop(&mut self) {
        if let Some(waiting) = &mut *self.pending.0.requests.lock() {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    fn response(id: u64) -> Message {
        Message::parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).unwrap()
    }

    #[tokio::test]
    async fn each_request_gets_its_own_response() {
        let pending = PendingResponses::new();
        let mut first = pending.register(1, IDLE).unwrap();
        let mut second = pending.register(2, IDLE).unwrap();
        pending.deliver(response(2));
        pending.deliver(response(3));
        pending.deliver(response(1));
        assert_eq!(&second.wait().await.unwrap().id().unwrap()[..], b"2");
        first.wait_until_arrived().await.unwrap();
        assert_eq!(&first.wait().await.unwrap().id().unwrap()[..], b"1");
        assert!(pending.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn stream_activity_extends_the_wait_but_ping_responses_do_not() {
        let pending = PendingResponses::new();
        let mut waiting = pending.register(1, IDLE).unwrap();
        {
            let mut wait = Box::pin(waiting.wait());
            assert!((&mut wait).now_or_never().is_none());
            advance(Duration::from_secs(9)).await;
            pending.touch();
            advance(Duration::from_secs(9)).await;
            pending.deliver(response(2));
            assert!((&mut wait).now_or_never().is_none());
            advance(Duration::from_secs(2)).await;
            assert!(matches!(
                wait.now_or_never(),
                Some(Err(TransportError::IdleTimeout(IDLE)))
            ));
        }
        drop(waiting);
        assert!(pending.is_empty());
    }

    #[tokio::test]
    async fn a_closed_stream_fails_pending_and_new_requests() {
        let pending = PendingResponses::new();
        let mut waiting = pending.register(1, IDLE).unwrap();
        pending.close();
        assert!(matches!(
            waiting.wait().await,
            Err(TransportError::StreamEnded)
        ));
        assert!(matches!(
            pending.register(2, IDLE),
            Err(TransportError::SessionExpired)
        ));
        assert!(pending.is_empty());
    }
}
