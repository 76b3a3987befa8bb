//! One request and everything that comes back for it: notifications in the upstream's order,
//! then the response.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use tracing::{debug, warn};

use super::body::Body;
use super::event_stream::{EventStream, Incoming, malformed, parse};
use super::http_sse::SharedReply;
use super::refusal_hint::Hint;
use super::response_head::Opening;
use super::streamable_http_legacy::StreamableHttpLegacy;
use crate::upstream::error::TransportError;
use crate::wire::{Kind, Message};

/// How often a stream is resumed without a message having come in between.
const MAX_RESUMPTIONS: usize = 5;

/// How long to wait before a stream is resumed when the server names no time.
const DEFAULT_RETRY: Duration = Duration::from_millis(1000);

/// A request that was sent. Dropping it closes its response stream, which for a modern upstream
/// is the cancellation (MCP 2026-07-28 § Streamable HTTP, Cancellation).
#[derive(Debug)]
pub struct Exchange {
    id: u64,
    source: Source,
    /// What the answer hints at, if it is a refusal.
    hint: Option<Hint>,
    /// Set when the response has come.
    proves: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
enum Source {
    /// It has not begun to come.
    Opening(Opening),
    /// The answer came whole; `None` once it is out.
    Whole(Option<Message>),
    /// The answer came whole, as one of several messages.
    Batch(VecDeque<Message>),
    /// It comes on a stream of its own.
    Stream(Box<Replies>),
    /// It comes on the stream that all requests share.
    Shared(SharedReply),
}

#[derive(Debug)]
struct Replies {
    events: EventStream,
    /// Who can resume the stream and be answered; a modern upstream offers neither.
    session: Option<Arc<StreamableHttpLegacy>>,
    resumptions: usize,
}

impl Exchange {
    pub(crate) fn shared(id: u64, reply: SharedReply) -> Self {
        Self::new(id, Source::Shared(reply))
    }

    pub(crate) fn opening(id: u64, opening: Opening) -> Self {
        Self::new(id, Source::Opening(opening))
    }

    /// An answer that refuses the request, and what it hints at.
    pub(crate) fn refused(id: u64, message: Message, hint: Option<Hint>) -> Self {
        Self {
            hint,
            ..Self::new(id, Source::Whole(Some(message)))
        }
    }

    fn new(id: u64, source: Source) -> Self {
        Self {
            id,
            source,
            hint: None,
            proves: None,
        }
    }

    /// What its answer hints at, if that is a refusal.
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.hint
    }

    /// The same, which sets `proven` when the response has come.
    pub(crate) fn proving(self, proven: &Arc<AtomicBool>) -> Self {
        let proves = Some(proven.clone());
        Self { proves, ..self }
    }

    /// Takes the answer to a POST, whose status is a success.
    pub(crate) async fn open(
        id: u64,
        body: Body,
        session: Option<Arc<StreamableHttpLegacy>>,
    ) -> Result<Self, TransportError> {
        body.check_encoding()?;
        let (status, kind) = (body.status(), body.media_type());
        if kind == "text/event-stream" {
            let events = EventStream::new(body);
            let replies = Replies {
                events,
                session,
                resumptions: 0,
            };
            return Ok(Self::new(id, Source::Stream(Box::new(replies))));
        }
        let bytes = body.whole().await?;
        if status == StatusCode::ACCEPTED || bytes.trim_ascii().is_empty() {
            return Err(TransportError::NoAnswer(status));
        }
        // Some servers name no type, or a JSON one of their own.
        if !(kind.is_empty() || kind.contains("json")) {
            return Err(TransportError::ContentType(kind));
        }
        let source = if Message::is_batch(&bytes) {
            let parts = Message::split_batch(&bytes).map_err(|e| malformed(&e))?;
            Source::Batch(parts.into_iter().map(parse).collect::<Result<_, _>>()?)
        } else {
            Source::Whole(Some(parse(bytes)?))
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
        if let Source::Opening(opening) = &mut self.source {
            let opened = opening.next().await?;
            self.source = opened.source;
        }
        loop {
            let message = match &mut self.source {
                Source::Opening(_) => return Err(TransportError::StreamEnded),
                Source::Whole(message) => message
                    .take()
                    .ok_or(TransportError::NoAnswer(StatusCode::OK))?,
                Source::Batch(messages) => messages
                    .pop_front()
                    .ok_or(TransportError::NoAnswer(StatusCode::OK))?,
                Source::Stream(replies) => replies.next().await?,
                Source::Shared(reply) => reply.wait().await?,
            };
            match message.kind() {
                Kind::Notification => return Ok(message),
                Kind::Response => {
                    self.check_id(&message)?;
                    if let Some(proven) = &self.proves {
                        proven.store(true, Ordering::Relaxed);
                    }
                    return Ok(message);
                }
                Kind::Request if self.can_answer() && message.method() != "ping" => {
                    return Ok(message);
                }
                Kind::Request => self.answer(&message),
            }
        }
    }

    /// The response alone, for requests of our own.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn response(mut self) -> Result<Message, TransportError> {
        if let Some(Hint::Later(wait)) = self.hint {
            return Err(TransportError::busy(wait));
        }
        loop {
            let message = self.next().await?;
            match message.kind() {
                Kind::Response => return Ok(message),
                Kind::Request => self.answer(&message),
                Kind::Notification => {}
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

    /// Whether a request of the upstream can be answered: a modern one must not send any.
    fn can_answer(&self) -> bool {
        matches!(&self.source, Source::Stream(replies) if replies.session.is_some())
    }

    /// Answers a ping, and refuses anything else.
    fn answer(&self, request: &Message) {
        let session = match &self.source {
            Source::Stream(replies) => replies.session.as_ref(),
            _ => None,
        };
        match session {
            Some(session) => session.answer(request),
            None => warn!(method = %request.method(), "ignoring a request that has no place here"),
        }
    }
}

impl Replies {
    async fn next(&mut self) -> Result<Message, TransportError> {
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

    /// Opens the stream again where it stopped (MCP 2025-11-25 § Resumability and Redelivery).
    async fn resume(&mut self, lost: TransportError) -> Result<(), TransportError> {
        let (Some(session), Some(last)) = (&self.session, self.events.last_event_id.clone()) else {
            return Err(lost);
        };
        while self.resumptions < MAX_RESUMPTIONS {
            self.resumptions += 1;
            let wait = self.events.retry.unwrap_or(DEFAULT_RETRY);
            // As long as any silence of its upstream, however long that asks for.
            let wait = wait.min(self.events.idle());
            debug!(error = %lost, ?wait, "resuming an event stream");
            tokio::time::sleep(wait).await;
            match session.reopen(&last).await {
                Ok(mut events) => {
                    events.last_event_id = Some(last);
                    events.retry = self.events.retry;
                    self.events = events;
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
