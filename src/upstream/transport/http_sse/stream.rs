//! The one stream of HTTP+SSE: it hands out what the upstream says, and is kept alive, since it is
//! silent for as long as nobody calls, and everything is lost with it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, debug};

use super::{Heard, Post, Waiting, lock};
use crate::protocol::Request;
use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::Activity;
use crate::upstream::transport::event_stream::{EventStream, Incoming};
use crate::upstream::transport::request_id::next_id;
use crate::wire::{Kind, Message};

/// How long anything may take to come after a ping: far longer than a healthy connection needs. Where
/// pings are more frequent than that, as long as it is between two of them.
pub(crate) const STREAM_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The stream's side of the connection.
#[derive(Debug)]
pub(crate) struct HttpSseStream {
    events: EventStream,
    post: Arc<Post>,
    waiting: Waiting,
    heard: Heard,
    /// After how much silence it is pinged.
    keep_alive: Option<Duration>,
    /// Until when something must come after the last ping, if nothing has yet.
    due: Option<Instant>,
}

impl HttpSseStream {
    pub(super) fn new(
        events: EventStream,
        post: Arc<Post>,
        waiting: Waiting,
        heard: Heard,
    ) -> Self {
        Self {
            keep_alive: post.http.keep_alive,
            events,
            post,
            waiting,
            heard,
            due: None,
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
            if message.kind() != Kind::Response {
                self.show_life();
                return Ok(Some(message));
            }
            let id = message
                .id()
                .and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok());
            match id.and_then(|id: u64| lock(&self.waiting).as_mut()?.remove(&id)) {
                Some(waiting) => {
                    self.show_life();
                    drop(waiting.send(message));
                }
                // As to our pings, which the calls that wait must not take for theirs.
                None => debug!(?id, "ignoring a response that nobody waits for"),
            }
        }
    }

    /// Notes what counts as a sign of life for those who wait for an answer.
    fn show_life(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The next event, for which the stream is kept alive.
    async fn next_event(&mut self) -> Result<Option<Incoming>, TransportError> {
        let Some(keep_alive) = self.keep_alive else {
            return self.events.next().await;
        };
        loop {
            let heard = self.events.heard();
            let due = self.due.unwrap_or(heard + keep_alive);
            if let Ok(event) = timeout_at(due, self.events.next()).await {
                self.due = None;
                return event;
            }
            // Any byte is a sign of life, be it of a comment; and so is the client's not reading, for which
            // nothing is read here.
            match (self.events.heard() > heard, self.due.take()) {
                (true, _) => {}
                (false, None) => {
                    let limit = STREAM_PING_TIMEOUT.min(keep_alive);
                    self.send_ping(limit);
                    self.due = Some(Instant::now() + limit);
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

    /// Pings the server (MCP 2024-11-05 § Ping). It answers on the stream, if that is alive; what it
    /// says to the request itself tells nothing.
    fn send_ping(&self, limit: Duration) {
        let post = self.post.clone();
        let sending = async move {
            let ping = Request::ours(next_id(), "ping", &serde_json::json!({}));
            debug!(id = ping.id, "pinging a silent stream");
            match timeout(limit, post.send(ping.body, None, &Activity::default())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%error, "the ping was not taken"),
                Err(_) => debug!("the ping was not taken in time"),
            }
        };
        tokio::spawn(sending.in_current_span());
    }
}

impl Drop for HttpSseStream {
    /// What still waits will never be answered.
    fn drop(&mut self) {
        *lock(&self.waiting) = None;
    }
}
