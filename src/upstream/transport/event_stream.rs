//! Reads the messages of one event stream in order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::debug;

use super::body::Body;
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::LargeBodyPermit;
use crate::wire::sse::{Event, Parser, SseError};
use crate::wire::{MalformedMessage, Message};

/// One event of a stream.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A JSON-RPC message.
    Message(Message),
    /// The URI to POST to (HTTP+SSE, MCP 2024-11-05 § Transports).
    Endpoint(String),
}

/// An open event stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    body: Body,
    parser: Parser,
    /// The permit of a large event.
    permit: Option<LargeBodyPermit>,
    /// The parts of a batch that [`Self::next`] has not returned yet.
    batch: VecDeque<Bytes>,
    /// The id after which to resume the stream (WHATWG HTML § 9.2.4).
    pub(crate) last_event_id: Option<String>,
    /// The server's `retry`: how long to wait before a reconnect.
    pub(crate) retry: Option<Duration>,
}

impl EventStream {
    pub(crate) fn new(body: Body) -> Self {
        Self {
            parser: Parser::new(body.message_limit()),
            permit: None,
            body,
            batch: VecDeque::new(),
            last_event_id: None,
            retry: None,
        }
    }

    /// Returns the stream as the continuation of a broken one, for the same reader. It has the same last
    /// event id, in case it breaks before its first event.
    pub(crate) fn resuming(mut self, broken: &Self) -> Self {
        self.last_event_id.clone_from(&broken.last_event_id);
        self.retry = broken.retry;
        self.body.use_reader_of(&broken.body);
        self
    }

    /// Returns the idle timeout.
    pub(crate) fn idle(&self) -> Duration {
        self.body.idle()
    }

    /// Returns the time at which the last bytes, or a comment, arrived.
    pub(crate) fn last_byte(&self) -> Instant {
        self.body.last_byte()
    }

    /// Returns the next message, or `None` at the end of the stream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Incoming>, TransportError> {
        loop {
            if let Some(part) = self.batch.pop_front() {
                return Ok(Some(Incoming::Message(parse(part)?)));
            }
            while let Some(event) = self.parser.next_event().map_err(|e| self.parse_error(&e))? {
                self.permit = None;
                self.body.end_message();
                if let Some(incoming) = self.read_event(event)? {
                    return Ok(Some(incoming));
                }
                if !self.batch.is_empty() {
                    break;
                }
            }
            if !self.batch.is_empty() {
                continue;
            }
            if self.permit.is_none() {
                self.permit = self.body.large_permit(self.parser.pending()).await;
            }
            match self
                .body
                .next_chunk(self.parser.has_partial_event())
                .await?
            {
                Some(chunk) => self.parser.push(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Stores an event's id and retry, and returns its content, if it has any.
    fn read_event(&mut self, event: Event) -> Result<Option<Incoming>, TransportError> {
        if event.id.is_some() {
            self.last_event_id = event.id.filter(|id| !id.is_empty());
        }
        self.retry = event.retry.or(self.retry);
        // An event without data only sets the id for a reconnect (MCP 2025-11-25 § Streamable HTTP).
        let Some(data) = event.data.filter(|data| !data.trim_ascii().is_empty()) else {
            return Ok(None);
        };
        match event.name.as_deref() {
            None | Some("message" | "") if Message::is_batch(&data) => {
                self.batch = Message::split_batch(&data)
                    .map_err(|e| malformed(&e))?
                    .into();
                Ok(None)
            }
            None | Some("message" | "") => parse(data).map(Incoming::Message).map(Some),
            Some("endpoint") => Ok(Some(Incoming::Endpoint(
                String::from_utf8_lossy(&data).trim().to_owned(),
            ))),
            Some(name) => {
                debug!(event = name, "ignoring an event of unknown type");
                Ok(None)
            }
        }
    }

    fn parse_error(&self, error: &SseError) -> TransportError {
        match error {
            SseError::TooLong { .. } => TransportError::TooLarge(self.body.message_limit()),
            SseError::NotUtf8 => TransportError::Malformed(error.to_string()),
        }
    }
}

pub(crate) fn parse(data: Bytes) -> Result<Message, TransportError> {
    Message::parse(data).map_err(|e| malformed(&e))
}

pub(crate) fn malformed(error: &MalformedMessage) -> TransportError {
    TransportError::Malformed(error.to_string())
}
