//! One request of the client on its way: to one upstream under an id of ours, and back under the
//! client's, with what the upstream says of it before its answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tracing::{Instrument, debug, debug_span};

use super::Router;
use super::bridge::{self, Target};
use super::inflight::{Key, is_same, progress_token};
use super::tasks::Task;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::version::META_LOG_LEVEL;
use crate::wire::{Era, Kind, Line, Message, members};

/// A request that is being relayed.
pub(super) struct Relayed {
    pub(super) id: Bytes,
    /// What it is about: the name of a tool, a URI.
    pub(super) subject: String,
    pub(super) key: Key,
    token: Option<Bytes>,
    pub(super) message: Message,
    pub(super) client: Era,
    begun: Instant,
}

/// How a request ended that got an answer.
pub(super) enum Answer {
    /// The response, in the client's era.
    Response(Message),
    /// A task that is ours to follow, of a server of this era.
    Task(Box<Task>, Era),
    /// The upstream refused it: the schema that we know is not the upstream's any more.
    Stale,
}

impl Answer {
    /// The response; a refusal of our headers is an error.
    pub(super) fn response(
        self,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        match self {
            Self::Response(response) => Ok(response),
            Self::Task(..) => {
                let text = "it made a task of what can be none".to_owned();
                Err(upstream.error(&target.method, TransportError::Malformed(text)))
            }
            Self::Stale => Err(upstream.error(&target.method, TransportError::HeaderMismatch)),
        }
    }
}

/// An attempt that came to nothing.
struct Lost {
    error: UpstreamError,
    /// Whether the client has heard something of the request already.
    heard: bool,
}

impl Router {
    /// Answers a request by a task of its own: with the line that `answer` makes, unless the
    /// client cancels.
    pub(super) async fn relay<F>(
        self: &Arc<Self>,
        message: Message,
        client: Era,
        subject: String,
        answer: impl FnOnce(Arc<Self>, Relayed) -> F + Send + 'static,
    ) where
        F: Future<Output = Line> + Send,
    {
        let Some(id) = message.id() else { return };
        let span = debug_span!("request", method = %message.method(), id = %String::from_utf8_lossy(&id), subject);
        let (key, token) = (Key::new(&id), progress_token(&message));
        let relayed = Relayed {
            id: id.clone(),
            subject,
            key: key.clone(),
            token: token.clone(),
            message,
            client,
            begun: Instant::now(),
        };
        let (router, ended) = (self.clone(), key.clone());
        let begun = self.inflight.begin(key, token.as_ref(), || {
            // Boxed before it is handed on, and `answer` called inside: what it makes is
            // kilobytes, and each hand would copy them.
            let task = Box::pin(async move {
                let line = answer(router.clone(), relayed).await;
                router.finish(&ended, line).await;
            });
            self.tasks.spawn(task.instrument(span)).abort_handle()
        });
        if !begun {
            let text = "this id belongs to a request that is still running; use a new one";
            self.send(Line::error(&id, code::INVALID_REQUEST, text, &Value::Null))
                .await;
        }
    }

    async fn finish(&self, ended: &Key, line: Line) {
        let Ok(permit) = self.outbox.reserve().await else {
            return;
        };
        // The request ends before its answer is queued: nothing of it can come after.
        if self.inflight.finish(ended) {
            permit.send(line);
        }
    }

    /// Sends a request and waits for its answer. It is sent a second time only when the connection
    /// broke under one that may be repeated, before anything was heard of it.
    pub(super) async fn ask(
        &self,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Answer, UpstreamError> {
        match self.attempt(request, target, upstream).await {
            Err(Lost { error, heard })
                if target.repeatable
                    && !heard
                    && !self.inflight.was_heard(request.token.as_ref())
                    && error.cause.is_interruption() =>
            {
                debug!(error = %error, "sending a repeatable request again");
                let again = self.attempt(request, target, upstream).await;
                // The first attempt may have run, whatever kept the second one from it.
                again.map_err(|lost| {
                    debug!(error = %lost.error, "the second attempt failed as well");
                    error
                })
            }
            other => other.map_err(|lost| lost.error),
        }
    }

    /// Sends the request once and relays what comes before the response.
    async fn attempt(
        &self,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Answer, Lost> {
        let sent = upstream.call(&target.method, |live| {
            let sent = bridge::request(&request.message, target, request.client, live);
            debug!(
                upstream = %upstream.config().name,
                serial = sent.id,
                bytes = sent.body.len(),
                "forwarding"
            );
            self.inflight.sent(&request.key, upstream, sent.id);
            sent
        });
        let mut sent = sent.await.map_err(|error| Lost {
            error,
            heard: false,
        })?;
        let mut heard = false;
        let lost = |cause, heard| Lost {
            error: upstream.error(&target.method, cause),
            heard,
        };
        loop {
            let message = sent.exchange.next().await;
            let message = message.map_err(|cause| lost(cause, heard))?;
            let era = sent.live.era;
            if message.kind() == Kind::Response {
                // MCP 2026-07-28 § Streamable HTTP, Server Validation.
                if era == Era::Modern && message.error_code() == Some(code::HEADER_MISMATCH) {
                    return Ok(Answer::Stale);
                }
                if let Some(task) = Task::ours(&message, target.as_task, era) {
                    return Ok(Answer::Task(Box::new(task), era));
                }
                let response = bridge::response(message, &target.method, request.client, era);
                let broken = |reason| lost(TransportError::Malformed(reason), heard);
                return response.map(Answer::Response).map_err(broken);
            }
            heard = true;
            self.pass_on(request, &message, upstream, era).await;
        }
    }

    /// A notification that came with the request.
    async fn pass_on(&self, request: &Relayed, message: &Message, upstream: &Upstream, era: Era) {
        match &*message.method() {
            "notifications/progress" => {
                let token = message.param("progressToken");
                let given = request.token.as_deref().zip(token.as_ref());
                if !given.is_some_and(|(given, token)| is_same(given, token.value())) {
                    return debug!("dropping progress under a token that the client did not give");
                }
            }
            "notifications/message" if !request.wants_logs(era) => {
                return debug!("dropping a log that the client did not ask for");
            }
            _ if self.hides(message, upstream.index(), request.client) => {
                return debug!("dropping news of a task that the client does not know");
            }
            _ => {}
        }
        self.send(Line::whole(message.bytes().clone())).await;
    }
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
            ..*self
        }
    }

    /// An error that we make ourselves.
    pub(super) fn refused(&self, code: i64, text: &str) -> Line {
        Line::error(&self.id, code, text, &Value::Null)
    }

    /// A modern client names the level with each request whose logs it wants (MCP 2026-07-28
    /// § Logging). A modern upstream heeds it; a legacy one has never heard of it.
    fn wants_logs(&self, upstream: Era) -> bool {
        if (self.client, upstream) != (Era::Modern, Era::Legacy) {
            return true;
        }
        let meta = self.message.param("_meta");
        meta.is_some_and(|meta| members(meta.value()).any(|member| member.key() == META_LOG_LEVEL))
    }
}
