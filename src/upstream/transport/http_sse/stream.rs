//! Reads the event stream of HTTP+SSE, which carries all messages from the upstream.
//!
//! The stream is silent while no request waits, and may break unnoticed. Pings detect that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug};

use super::message_endpoint::MessageEndpoint;
use crate::protocol::Request;
use crate::upstream::error::TransportError;
use crate::upstream::flow::request_context::RequestContext;
use crate::upstream::transport::event_stream::{EventStream, Incoming};
use crate::upstream::transport::pending::PendingResponses;
use crate::upstream::transport::request_id::next_id;
use crate::wire::{Message, MessageKind};

/// How long the first byte after a ping may take: far longer than a healthy connection needs. If pings are more
/// frequent, the time between two of them counts.
pub(crate) const STREAM_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The event stream of a connection.
#[derive(Debug)]
pub(crate) struct HttpSseStream {
    /// The ping in progress, which ends with the stream.
    ping: Option<AbortOnDropHandle<()>>,
    events: EventStream,
    endpoint: Arc<MessageEndpoint>,
    pending: PendingResponses,
    /// The time without a byte after which the server is pinged.
    keep_alive: Option<Duration>,
    /// The deadline for a byte after the last ping; `None` if no ping is unanswered.
    ping_deadline: Option<Instant>,
}

impl HttpSseStream {
    pub(super) fn new(
        events: EventStream,
        endpoint: Arc<MessageEndpoint>,
        pending: PendingResponses,
    ) -> Self {
        Self {
            ping: None,
            keep_alive: endpoint.http().keep_alive,
            events,
            endpoint,
            pending,
            ping_deadline: None,
        }
    }

    /// Returns the next notification or server request, or `None` at the end of the stream. Delivers responses to the
    /// requests that wait for them. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], also when nothing arrives after a ping: then the stream is broken.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, TransportError> {
        loop {
            let message = match self.next_event().await? {
                Some(Incoming::Message(message)) => message,
                Some(Incoming::Endpoint(_)) => continue,
                None => return Ok(None),
            };
            if message.kind() != MessageKind::Response {
                self.pending.touch();
                return Ok(Some(message));
            }
            self.pending.deliver(message);
        }
    }

    /// Waits for the next event, and pings the server while the stream is silent.
    async fn next_event(&mut self) -> Result<Option<Incoming>, TransportError> {
        let Some(keep_alive) = self.keep_alive else {
            return self.events.next().await;
        };
        loop {
            let last_byte = self.events.last_byte();
            let deadline = self.ping_deadline.unwrap_or(last_byte + keep_alive);
            if let Ok(event) = timeout_at(deadline, self.events.next()).await {
                self.ping_deadline = None;
                return event;
            }
            // Any byte counts as activity, including a comment. So does a closed gate: then nothing is read here.
            match (
                self.events.last_byte() > last_byte,
                self.ping_deadline.take(),
            ) {
                (true, _) => {}
                (false, None) => {
                    let limit = STREAM_PING_TIMEOUT.min(keep_alive);
                    self.send_ping(limit);
                    self.ping_deadline = Some(Instant::now() + limit);
                }
                (false, Some(_)) => {
                    let limit = STREAM_PING_TIMEOUT.min(keep_alive).as_secs_f64();
                    let text =
                        format!("nothing arrived on the event stream within {limit} s of a ping");
                    return Err(TransportError::Interrupted(text));
                }
            }
        }
    }

    /// Pings the server (MCP 2024-11-05 § Ping). Only the response on the stream proves that the stream works, not
    /// the HTTP response to the POST.
    fn send_ping(&mut self, limit: Duration) {
        let endpoint = self.endpoint.clone();
        let sending = async move {
            let ping = Request::from_proxy(next_id(), "ping", &serde_json::json!({}));
            debug!(id = ping.id, "pinging a silent stream");
            match timeout(
                limit,
                endpoint.send(ping.body, None, &RequestContext::default()),
            )
            .await
            {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%error, "ping not accepted"),
                Err(_) => debug!("ping timed out"),
            }
        };
        let sending = sending.in_current_span();
        self.ping = Some(AbortOnDropHandle::new(tokio::spawn(sending)));
    }
}

impl Drop for HttpSseStream {
    /// Fails the requests that still wait for a response.
    fn drop(&mut self) {
        self.pending.close();
    }
}
