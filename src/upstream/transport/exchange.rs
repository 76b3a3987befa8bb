//! One request with the messages that it returns: notifications and server requests in the upstream's order, then
//! the response.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use tracing::warn;

use super::body::Body;
use super::event_stream::{EventStream, malformed, parse};
use super::pending::PendingResponse;
use super::refusal_hint::RefusalHint;
use super::response_head::ResponseHead;
use super::response_stream::{ReplyChannel, ResponseStream};
use crate::upstream::error::TransportError;
use crate::wire::{Message, MessageKind};

/// A request that was sent. Dropping it closes the response stream, which cancels the request at a modern upstream
/// (MCP 2026-07-28 § Streamable HTTP, Cancellation).
#[derive(Debug)]
pub struct Exchange {
    id: u64,
    source: ResponseSource,
    /// The hint in the response, if it is a refusal.
    hint: Option<RefusalHint>,
    /// Set to `true` when the response arrives.
    marks_healthy: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
enum ResponseSource {
    /// The response has not begun.
    AwaitingHead(ResponseHead<Exchange>),
    /// The body is one message; `None` once it was returned.
    Single(Option<Message>),
    /// The body is a batch of messages.
    Batch(VecDeque<Message>),
    /// The body is an event stream.
    Stream(Box<ResponseStream>),
    /// The response arrives on the event stream that all requests share.
    Shared(PendingResponse),
}

impl Exchange {
    pub(crate) fn shared(id: u64, response: PendingResponse) -> Self {
        Self::new(id, ResponseSource::Shared(response))
    }

    pub(crate) fn awaiting_head(id: u64, head: ResponseHead<Exchange>) -> Self {
        Self::new(id, ResponseSource::AwaitingHead(head))
    }

    /// Returns an exchange with a response that refuses the request, and the hint in it.
    pub(crate) fn refused(id: u64, message: Message, hint: Option<RefusalHint>) -> Self {
        Self {
            hint,
            ..Self::new(id, ResponseSource::Single(Some(message)))
        }
    }

    fn new(id: u64, source: ResponseSource) -> Self {
        Self {
            id,
            source,
            hint: None,
            marks_healthy: None,
        }
    }

    /// Returns the hint in the response, if it is a refusal.
    pub(crate) fn refusal_hint(&self) -> Option<RefusalHint> {
        self.hint
    }

    /// Returns the exchange, which sets `healthy` when the response arrives.
    pub(crate) fn marking_healthy(self, healthy: &Arc<AtomicBool>) -> Self {
        let marks_healthy = Some(healthy.clone());
        Self {
            marks_healthy,
            ..self
        }
    }

    /// Reads the body of a successful response to a POST.
    pub(crate) async fn from_body(
        id: u64,
        body: Body,
        channel: Option<Arc<dyn ReplyChannel>>,
    ) -> Result<Self, TransportError> {
        body.check_encoding()?;
        let (status, media_type) = (body.status(), body.media_type());
        if media_type == "text/event-stream" {
            let events = EventStream::new(body);
            let stream = ResponseStream::new(events, channel);
            return Ok(Self::new(id, ResponseSource::Stream(Box::new(stream))));
        }
        let bytes = body.read_all().await?;
        if status == StatusCode::ACCEPTED || bytes.trim_ascii().is_empty() {
            return Err(TransportError::NoResponse(status));
        }
        // Some servers send no media type, or a JSON type of their own.
        if !(media_type.is_empty() || media_type.contains("json")) {
            return Err(TransportError::ContentType(media_type));
        }
        let source = if Message::is_batch(&bytes) {
            let parts = Message::split_batch(&bytes).map_err(|e| malformed(&e))?;
            ResponseSource::Batch(parts.into_iter().map(parse).collect::<Result<_, _>>()?)
        } else {
            ResponseSource::Single(Some(parse(bytes)?))
        };
        Ok(Self::new(id, source))
    }

    /// Returns the id of the request at the upstream.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the next notification or server request, and at last the response. Replies to pings itself.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], when no response can arrive any more.
    pub async fn next(&mut self) -> Result<Message, TransportError> {
        if let ResponseSource::AwaitingHead(head) = &mut self.source {
            let exchange = head.wait().await?;
            self.source = exchange.source;
        }
        loop {
            let message = match &mut self.source {
                ResponseSource::AwaitingHead(_) => return Err(TransportError::StreamEnded),
                ResponseSource::Single(message) => message
                    .take()
                    .ok_or(TransportError::NoResponse(StatusCode::OK))?,
                ResponseSource::Batch(messages) => messages
                    .pop_front()
                    .ok_or(TransportError::NoResponse(StatusCode::OK))?,
                ResponseSource::Stream(stream) => stream.next().await?,
                ResponseSource::Shared(response) => response.wait().await?,
            };
            match message.kind() {
                MessageKind::Notification => return Ok(message),
                MessageKind::Response => {
                    self.check_id(&message)?;
                    if let Some(healthy) = &self.marks_healthy {
                        healthy.store(true, Ordering::Relaxed);
                    }
                    return Ok(message);
                }
                MessageKind::Request if self.channel().is_some() && message.method() != "ping" => {
                    return Ok(message);
                }
                MessageKind::Request => self.reply(&message),
            }
        }
    }

    /// Returns the response alone, for the proxy's own requests.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn response(mut self) -> Result<Message, TransportError> {
        if let Some(RefusalHint::RetryAfter(wait)) = self.hint {
            return Err(TransportError::retry_later(wait));
        }
        loop {
            let message = self.next().await?;
            match message.kind() {
                MessageKind::Response => return Ok(message),
                MessageKind::Request => self.reply(&message),
                MessageKind::Notification => {}
            }
        }
    }

    /// Returns an error if the response has the id of another request. An error may have no id, if the server could
    /// not read the request.
    fn check_id(&self, message: &Message) -> Result<(), TransportError> {
        let Some(id) = message.id() else {
            return Ok(());
        };
        let number = std::str::from_utf8(&id).ok().and_then(|id| id.parse().ok());
        if number == Some(self.id) || (&id[..] == b"null" && message.error().is_some()) {
            return Ok(());
        }
        Err(TransportError::WrongId {
            expected: self.id.to_string(),
            found: String::from_utf8_lossy(&id).chars().take(80).collect(),
        })
    }

    /// Returns the channel for replies to server requests; `None` for a modern upstream, which must not send any.
    fn channel(&self) -> Option<&Arc<dyn ReplyChannel>> {
        match &self.source {
            ResponseSource::Stream(stream) => stream.channel(),
            _ => None,
        }
    }

    /// Replies to a ping, and rejects any other server request.
    fn reply(&self, request: &Message) {
        match self.channel() {
            Some(channel) => channel.clone().reply(request),
            None => warn!(method = %request.method(), "ignoring an unexpected server request"),
        }
    }
}
