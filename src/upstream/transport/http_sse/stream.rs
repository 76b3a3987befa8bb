//! The one stream of HTTP+SSE: it carries all that the upstream sends. It is kept alive, since it is
//! silent while no request waits, and everything is lost with it.

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

/// How long anything may take to come after a ping: far longer than a healthy connection needs. Where
/// pings are more frequent than that, as long as it is between two of them.
pub(crate) const STREAM_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The stream's side of the connection.
#[derive(Debug)]
pub(crate) struct HttpSseStream {
    /// The ping that is under way; it ends with the stream.
    ping: Option<AbortOnDropHandle<()>>,
    events: EventStream,
    endpoint: Arc<MessageEndpoint>,
    pending: PendingResponses,
    /// After how much silence it is pinged.
    keep_alive: Option<Duration>,
    /// Until when something must come after the last ping, if nothing has yet.
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

    /// The next message that is not the response to one of our requests, which are delivered
    /// here; `None` when the stream has ended. Requests of the upstream come out with the answer
    /// that is due. Cancel safe.
    ///
    /// # Errors
    /// [`TransportError`], also when nothing comes after a ping: then the stream is dead.
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

    /// The next event, for which the stream is kept alive.
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
            // Any byte is a sign of life, be it of a comment; and so is the client's not reading, for which
            // nothing is read here.
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
                        format!("nothing came on its event stream within {limit} s of a ping");
                    return Err(TransportError::Interrupted(text));
                }
            }
        }
    }

    /// Pings the server (MCP 2024-11-05 § Ping). The response comes on the stream, if that is alive;
    /// the answer to the POST proves nothing.
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
                Ok(Err(error)) => debug!(%error, "the ping was not taken"),
                Err(_) => debug!("the ping was not taken in time"),
            }
        };
        let sending = sending.in_current_span();
        self.ping = Some(AbortOnDropHandle::new(tokio::spawn(sending)));
    }
}

impl Drop for HttpSseStream {
    /// Requests that still wait will never be answered.
    fn drop(&mut self) {
        self.pending.close();
    }
}
