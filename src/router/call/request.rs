//! A request of the client that is being relayed, and the lines that answer it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use crate::protocol::Era;
use crate::protocol::caller::Caller;
use crate::protocol::json_key::Key;
use crate::upstream::{Upstream, UpstreamError};
use crate::wire::{Line, Message};

/// A request that is being relayed.
pub(crate) struct Relayed {
    pub(crate) id: Bytes,
    /// What it is about: the name of a tool, a URI.
    pub(crate) subject: String,
    pub(crate) key: Key,
    pub(crate) token: Option<Bytes>,
    /// What goes to the upstream: what the client sent, or a request in its place.
    pub(crate) message: Message,
    /// The task that it is about, where that is followed for the client.
    pub(crate) errand: Option<u64>,
    /// What the client sent, where that is another.
    pub(crate) original: Option<Arc<Message>>,
    pub(crate) speaker: Caller,
    pub(crate) begun: Instant,
}

impl Relayed {
    /// The line that answers it.
    pub(crate) fn answered(
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
            Err(error) => self.failed(&error),
        }
    }

    /// The line that says that nobody answers it.
    pub(crate) fn failed(&self, error: &UpstreamError) -> Line {
        debug!(error = %error, duration = ?self.begun.elapsed(), "failed");
        Line::error(&self.id, error.code(), &error.to_string(), &error.data())
    }

    /// Another request in its place.
    pub(crate) fn with(&self, message: Message) -> Self {
        Self {
            id: self.id.clone(),
            subject: self.subject.clone(),
            key: self.key.clone(),
            token: self.token.clone(),
            message,
            original: Some(Arc::new(self.original().clone())),
            speaker: self.speaker.clone(),
            ..*self
        }
    }

    /// Whether there is more to it than sending it on: it answers what was asked, or names a log level
    /// that is none.
    pub(crate) fn is_special(&self) -> bool {
        self.speaker.unknown_level.is_some()
            || (self.speaker.era == Era::Modern && self.message.param("requestState").is_some())
    }

    /// What the client sent.
    pub(crate) fn original(&self) -> &Message {
        self.original.as_deref().unwrap_or(&self.message)
    }

    /// An error that we make ourselves.
    pub(crate) fn refused(&self, code: i64, text: &str) -> Line {
        Line::error(&self.id, code, text, &Value::Null)
    }
}
