//! One request and everything that comes back for it: notifications in the upstream's order,
//! then the response.

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

/// A request that was sent. Dropping it closes its response stream, which for a modern upstream
/// is the cancellation (MCP 2026-07-28 § Streamable HTTP, Cancellation).
#[derive(Debug)]
pub struct Exchange {
    id: u64,
    source: ResponseSource,
    /// The hint in the answer, if it is a refusal.
    hint: Option<RefusalHint>,
    /// Set when the response has come.
    marks_healthy: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
enum ResponseSource {
    /// It has not begun to come.
    AwaitingHead(ResponseHead<Exchange>),
    /// The answer came whole; `None` once it is out.
    Single(Option<Message>),
    /// The answer came whole, as one of several messages.
    Batch(VecDeque<Message>),
    /// It comes on a stream of its own.
    Stream(Box<ResponseStream>),
    /// It comes on the stream that all requests share.
    Shared(PendingResponse),
}

impl Exchange {
    pub(crate) fn shared(id: u64, response: PendingResponse) -> Self {
        Self::new(id, ResponseSource::Shared(response))
    }

    pub(crate) fn awaiting_head(id: u64, head: ResponseHead<Exchange>) -> Self {
        Self::new(id, ResponseSource::AwaitingHead(head))
    }

    /// An answer that refuses the request, and what it hints at.
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

    /// Returns the hint in the answer, if it is a refusal.
    pub(crate) fn refusal_hint(&self) -> Option<RefusalHint> {
        self.hint
    }

    /// Returns the same exchange, which sets `healthy` when the response has come.
    pub(crate) fn marking_healthy(self, healthy: &Arc<AtomicBool>) -> Self {
        let marks_healthy = Some(healthy.clone());
        Self {
            marks_healthy,
            ..self
        }
    }

    /// Takes the answer to a POST, whose status is a success.
    pub(crate) async fn from_body(
        id: u64,
        body: Body,
        channel: Option<Arc<dyn ReplyChannel>>,
    ) -> Result<Self, TransportError> {
        body.check_encoding()?;
        let (status, kind) = (body.status(), body.media_type());
        if kind == "text/event-stream" {
            let events = EventStream::new(body);
            let stream = ResponseStream::new(events, channel);
            return Ok(Self::new(id, ResponseSource::Stream(Box::new(stream))));
        }
        let bytes = body.read_all().await?;
        if status == StatusCode::ACCEPTED || bytes.trim_ascii().is_empty() {
            return Err(TransportError::NoResponse(status));
        }
        // Some servers name no type, or a JSON one of their own.
        if !(kind.is_empty() || kind.contains("json")) {
            return Err(TransportError::ContentType(kind));
        }
        let source = if Message::is_batch(&bytes) {
            let parts = Message::split_batch(&bytes).map_err(|e| malformed(&e))?;
            ResponseSource::Batch(parts.into_iter().map(parse).collect::<Result<_, _>>()?)
        } else {
            ResponseSource::Single(Some(parse(bytes)?))
        };
        Ok(Self::new(id, source))
    }

    /// The id of the request at the upstream.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The next notification or request of the upstream, or the response, which is the last.
    /// Pings are answered here. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], when the response cannot come any more.
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

    /// The response alone, for requests of our own.
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

    /// An error may come without an id: the server could not read it.
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

    /// Returns the channel for requests of the upstream; a modern one must not send any.
    fn channel(&self) -> Option<&Arc<dyn ReplyChannel>> {
        match &self.source {
            ResponseSource::Stream(stream) => stream.channel(),
            _ => None,
        }
    }

    /// Answers a ping, and refuses anything else.
    fn reply(&self, request: &Message) {
        match self.channel() {
            Some(channel) => channel.clone().reply(request),
            None => warn!(method = %request.method(), "ignoring a request that has no place here"),
        }
    }
}
