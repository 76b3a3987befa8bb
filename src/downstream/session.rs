//! The session with a client: answers the handshake, and routes all other messages.
//!
//! The era is decided per request, never for the process. Clients probe with `server/discover` and then open
//! a session with `initialize` on the same connection, or the other way round.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tracing::{debug, trace};

use super::era::{Refusal, request_era};
use super::initialize;
use crate::protocol::Era;
use crate::router::{Client, Outbox};
use crate::wire::outgoing::code;
use crate::wire::{Line, MalformedMessage, Message, MessageKind};

/// The session with the client.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    outbox: Outbox,
}

impl Session {
    /// Creates a session whose responses go to `outbox`.
    #[must_use]
    pub(super) fn new(client: Client, outbox: Outbox) -> Self {
        Self { client, outbox }
    }

    /// Ends this session only: cancels its requests in flight, for at most `grace`.
    pub(super) async fn leave(self, grace: Duration) {
        self.client.close(grace).await;
    }

    /// Handles one line. A bad line does not end the session.
    pub(super) async fn handle_line(&self, line: Bytes) {
        if line.trim_ascii().is_empty() {
            return;
        }
        if !Message::is_batch(&line) {
            return self.handle_message(line).await;
        }
        // A batch (MCP 2025-03-26): each message gets a response of its own.
        match Message::split_batch(&line) {
            Ok(parts) if parts.is_empty() => {
                self.reject(None, code::INVALID_REQUEST, "an empty batch")
                    .await;
            }
            Ok(parts) => {
                for part in parts {
                    self.handle_message(part).await;
                }
            }
            Err(error) => self.reject_malformed(&error).await,
        }
    }

    /// Sends the error for a line over the limit, which was skipped.
    pub(super) async fn reject_too_long(&self, limit: usize) {
        let text =
            format!("the line exceeds {limit} bytes; raise PROXY_MAX_MESSAGE_BYTES to let it pass");
        self.reject(None, code::INVALID_REQUEST, &text).await;
    }

    async fn handle_message(&self, line: Bytes) {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => return self.reject_malformed(&error).await,
        };
        debug!(
            method = %message.method(),
            id = %String::from_utf8_lossy(&message.id().unwrap_or_default()),
            bytes = message.bytes().len(),
            "received"
        );
        trace!(line = %String::from_utf8_lossy(message.bytes()), "received");
        match message.kind() {
            MessageKind::Request => self.handle_request(message).await,
            MessageKind::Notification => self.handle_notification(&message),
            MessageKind::Response => self.client.on_response(&message),
        }
    }

    async fn reject_malformed(&self, error: &MalformedMessage) {
        debug!(%error, "rejecting a line");
        let text = error.to_string();
        match error {
            MalformedMessage::NotAMessage { id, .. } => {
                self.reject(id.as_deref(), code::INVALID_REQUEST, &text)
                    .await;
            }
            _ => self.reject(None, code::PARSE_ERROR, &text).await,
        }
    }

    fn handle_notification(&self, message: &Message) {
        match &*message.method() {
            "notifications/cancelled" => self.client.cancel_request(message),
            "notifications/initialized" => self.client.mark_initialized(),
            _ => self.client.forward_to_upstreams(message),
        }
    }

    async fn handle_request(&self, message: Message) {
        let Some(id) = message.id() else { return };
        let era = match request_era(&message) {
            Ok(era) => era,
            Err(refusal) => {
                let Refusal { code, text, data } = refusal;
                return self.send(Line::error(&id, code, &text, &data)).await;
            }
        };
        if message.method() == "initialize" && era == Era::Legacy {
            self.client.open_session(&message);
        }
        if message.method() != "ping" {
            self.client.start_upstreams(&message, era);
        }
        let local_result: Option<Bytes> = match (&*message.method(), era) {
            ("ping", Era::Legacy) => Some(Bytes::from_static(b"{}")),
            ("initialize", Era::Legacy) => {
                Some(initialize::initialize_result(&self.client, &message).into())
            }
            ("server/discover", Era::Modern) => {
                Some(initialize::discover_result(&self.client).into())
            }
            _ => None,
        };
        match local_result {
            Some(result) => self.send(Line::result(&id, result)).await,
            None => self.client.route(message, era).await,
        }
    }

    async fn reject(&self, id: Option<&[u8]>, code: i64, text: &str) {
        let line = match id {
            Some(id) => Line::error(id, code, text, &Value::Null),
            None => Line::error_without_id(code, text),
        };
        self.send(line).await;
    }

    async fn send(&self, line: Line) {
        // Fails only when the writer has ended, and with it the session.
        self.outbox.send(line).await;
    }
}
