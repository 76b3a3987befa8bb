//! A client's request in flight, and the lines that answer it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use crate::protocol::json_key::JsonKey;
use crate::protocol::task::TaskMode;
use crate::protocol::{Caller, Era, LogLevel};
use crate::upstream::{Upstream, UpstreamError};
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

/// The prefix of the handles of suspended calls. The `requestState` of an upstream has another form.
pub(crate) const HANDLE_PREFIX: &str = "mcp-manifold:";

/// A client's request in flight.
pub(crate) struct ClientRequest {
    pub(crate) id: Bytes,
    /// The object of the request, such as a tool name or a URI.
    pub(crate) subject: String,
    pub(crate) key: JsonKey,
    pub(crate) progress_token: Option<Bytes>,
    /// The message for the upstream: the client's own, or a replacement.
    pub(crate) message: Message,
    /// The number of the task that the request is about, if the proxy follows that task.
    pub(crate) proxied_task: Option<u64>,
    /// The client's own message, if `message` is a replacement.
    pub(crate) original: Option<Arc<Message>>,
    pub(crate) caller: Caller,
    pub(crate) started: Instant,
}

impl ClientRequest {
    /// Returns the line that answers the request with the upstream's response or error.
    pub(crate) fn response_line(
        &self,
        upstream: &Upstream,
        response: Result<Message, UpstreamError>,
    ) -> Line {
        match response {
            Ok(response) => {
                debug!(
                    upstream = %upstream.config().name,
                    status = if response.error().is_some() { "error" } else { "ok" },
                    duration = ?self.started.elapsed(),
                    sent = self.message.bytes().len(),
                    received = response.bytes().len(),
                    "answered"
                );
                Line::with_id(&response, self.id.clone())
            }
            Err(error) => self.failure_line(&error),
        }
    }

    /// Returns the line that reports an upstream's error.
    pub(crate) fn failure_line(&self, error: &UpstreamError) -> Line {
        debug!(error = %error, duration = ?self.started.elapsed(), "failed");
        Line::error(&self.id, error.code(), &error.to_string(), &error.data())
    }

    /// Returns the line that rejects the request with an error of the proxy.
    pub(crate) fn refusal_line(&self, code: i64, text: &str) -> Line {
        Line::error(&self.id, code, text, &Value::Null)
    }

    /// Returns the same request with another message for the upstream.
    pub(crate) fn replaced_by(&self, message: Message) -> Self {
        Self {
            id: self.id.clone(),
            subject: self.subject.clone(),
            key: self.key.clone(),
            progress_token: self.progress_token.clone(),
            message,
            original: Some(Arc::new(self.original().clone())),
            caller: self.caller.clone(),
            ..*self
        }
    }

    /// The message of the client.
    pub(crate) fn original(&self) -> &Message {
        self.original.as_deref().unwrap_or(&self.message)
    }

    /// Returns `true` if the request may be answered without being sent. It may resume a suspended call, or
    /// has an unknown log level.
    pub(crate) fn needs_preflight(&self) -> bool {
        self.caller.unknown_log_level.is_some()
            || (self.caller.era == Era::Modern && self.message.param("requestState").is_some())
    }

    /// The handle of the suspended call that the client resumes with this request.
    pub(crate) fn suspension_handle(&self) -> Option<String> {
        if self.caller.era == Era::Legacy {
            return None;
        }
        let state = self.message.param("requestState")?;
        let handle = decode(state.value())?;
        handle
            .starts_with(HANDLE_PREFIX)
            .then(|| handle.into_owned())
    }

    /// The log level that a legacy upstream applies during this request. `None` for legacy clients: their
    /// session sets the level.
    pub(crate) fn request_log_level(&self) -> Option<LogLevel> {
        self.caller
            .log_level
            .filter(|_| self.caller.era == Era::Modern)
    }

    /// Returns who follows the task that the call may create. Modern clients do not know tasks that are requested
    /// by `task`. Legacy clients without a `task` member expect the result.
    pub(crate) fn task_mode(&self, is_required: bool) -> TaskMode {
        let is_requested = self.message.param("task").is_some();
        match (self.caller.era, is_requested) {
            (Era::Legacy, true) => TaskMode::Client,
            (_, false) if !is_required => TaskMode::Client,
            _ => TaskMode::ProxyLegacy,
        }
    }
}
