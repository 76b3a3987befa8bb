//! A request of the client that is being relayed, and the lines that answer it.

use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use super::client::Speaker;
use super::inflight::Key;
use crate::upstream::{Upstream, UpstreamError};
use crate::wire::{Line, Message};

/// A request that is being relayed.
pub(super) struct Relayed {
    pub(super) id: Bytes,
    /// What it is about: the name of a tool, a URI.
    pub(super) subject: String,
    pub(super) key: Key,
    pub(super) token: Option<Bytes>,
    /// What goes to the upstream: what the client sent, or a request in its place.
    pub(super) message: Message,
    /// What the client sent.
    pub(super) original: Message,
    pub(super) speaker: Speaker,
    pub(super) begun: Instant,
}

impl Relayed {
    /// The line that answers it.
    pub(super) fn answered(
        &self,
        upstream: &Upstream,
        answer: Result<Message, UpstreamError>,
    ) -> Line {
        match answer {
            Ok(response) => {
                debug!(
                    upstream = %upstream.config().name,
                    status = if response.error().is_some() { "error" } else { "ok" },
                    duration = ?self.begun.elapsed(),
                    sent = self.message.bytes().len(),
                    received = response.bytes().len(),
                    "answered"
                );
                Line::with_id(&response, self.id.clone())
            }
            Err(error) => {
                debug!(error = %error, duration = ?self.begun.elapsed(), "failed");
                Line::error(&self.id, error.code(), &error.to_string(), &error.data())
            }
        }
    }

    /// Another request in its place.
    pub(super) fn with(&self, message: Message) -> Self {
        Self {
            id: self.id.clone(),
            subject: self.subject.clone(),
            key: self.key.clone(),
            token: self.token.clone(),
            message,
            original: self.original.clone(),
            speaker: self.speaker.clone(),
            ..*self
        }
    }

    /// An error that we make ourselves.
    pub(super) fn refused(&self, code: i64, text: &str) -> Line {
        Line::error(&self.id, code, text, &Value::Null)
    }
}
