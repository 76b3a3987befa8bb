//! The event stream with the response to one request, which is resumed when it breaks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tracing::debug;

use super::event_stream::{EventStream, Incoming};
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// The number of times that a stream is resumed without a message in between.
const MAX_RESUMPTIONS: usize = 5;

/// How long to wait before a stream is resumed if the server sent no `retry`.
const DEFAULT_RETRY: Duration = Duration::from_millis(1000);

/// A session that can reopen a broken stream and reply to server requests.
pub(crate) trait ReplyChannel: Send + Sync {
    /// Reopens the stream after this event.
    fn reopen<'a>(
        &'a self,
        last_event_id: &'a str,
    ) -> BoxFuture<'a, Result<EventStream, TransportError>>;

    /// Replies to a ping, or rejects any other server request, with a request of its own.
    fn reply(self: Arc<Self>, request: &Message);
}

// Not a supertrait: that would link the `Debug` code of every type behind the trait.
impl fmt::Debug for dyn ReplyChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyChannel")
    }
}

/// The response stream of one request.
#[derive(Debug)]
pub(crate) struct ResponseStream {
    events: EventStream,
    /// `None` for a modern upstream, which neither resumes a stream nor sends requests.
    channel: Option<Arc<dyn ReplyChannel>>,
    resumptions: usize,
}

impl ResponseStream {
    pub(crate) fn new(events: EventStream, channel: Option<Arc<dyn ReplyChannel>>) -> Self {
        Self {
            events,
            channel,
            resumptions: 0,
        }
    }

    /// Returns the channel for replies to server requests.
    pub(crate) fn channel(&self) -> Option<&Arc<dyn ReplyChannel>> {
        self.channel.as_ref()
    }

    /// Returns the next message. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], when the stream has ended and cannot be resumed.
    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        loop {
            let lost = match self.events.next().await {
                Ok(Some(Incoming::Message(message))) => {
                    self.resumptions = 0;
                    return Ok(message);
                }
                Ok(Some(Incoming::Endpoint(_))) => continue,
                Ok(None) => TransportError::StreamEnded,
                Err(error) if error.is_interruption() => error,
                Err(error) => return Err(error),
            };
            // Boxed: it is large, and on the path of every call.
            Box::pin(self.resume(lost)).await?;
        }
    }

    /// Reopens the stream after the last event (MCP 2025-11-25 § Resumability and Redelivery).
    async fn resume(&mut self, lost: TransportError) -> Result<(), TransportError> {
        let (Some(channel), Some(last)) = (&self.channel, self.events.last_event_id.clone()) else {
            return Err(lost);
        };
        while self.resumptions < MAX_RESUMPTIONS {
            self.resumptions += 1;
            let wait = self.events.retry.unwrap_or(DEFAULT_RETRY);
            // The idle timeout limits the server's `retry`.
            let wait = wait.min(self.events.idle());
            debug!(error = %lost, ?wait, "resuming an event stream");
            tokio::time::sleep(wait).await;
            match channel.reopen(&last).await {
                Ok(events) => {
                    self.events = events.resuming(&self.events);
                    return Ok(());
                }
                Err(TransportError::Connect(_) | TransportError::Interrupted(_)) => {}
                Err(error) => {
                    debug!(%error, "the stream cannot be resumed");
                    break;
                }
            }
        }
        Err(lost)
    }
}
