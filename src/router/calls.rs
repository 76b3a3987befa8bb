//! The life of a `tools/call`: to its upstream under an id of ours, and back under the client's.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tracing::{Instrument, debug, debug_span};

use super::inflight::{Key, is_same, progress_token};
use super::{Router, bridge};
use crate::catalog::Route;
use crate::upstream::{Tool, TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::version::META_LOG_LEVEL;
use crate::wire::{Era, Kind, Line, Message, members};

/// By which a modern upstream says that our copy of a tool's schema is old
/// (MCP 2026-07-28 § Streamable HTTP, Server Validation).
const HEADER_MISMATCH: &[u8] = b"-32020";

/// A call that is being relayed.
struct Relayed {
    id: Bytes,
    key: Key,
    token: Option<Bytes>,
    message: Message,
    client: Era,
    begun: Instant,
}

/// An attempt that came to nothing.
struct Lost {
    error: UpstreamError,
    /// Whether the client has heard something of the call already.
    heard: bool,
}

/// How one attempt ended.
enum Attempt {
    Answered(Message),
    /// The upstream refused it: the schema that we know is not the upstream's any more.
    Stale,
}

impl Router {
    /// Begins a `tools/call`; its answer goes to the client by itself.
    pub async fn call_tool(self: &Arc<Self>, message: Message, client: Era) {
        let Some(id) = message.id() else { return };
        let name = match tool_name(&message) {
            Ok(name) => name,
            Err(reason) => {
                return self
                    .send(Line::error(&id, code::INVALID_PARAMS, reason, &Value::Null))
                    .await;
            }
        };
        let (key, token) = (Key::new(&id), progress_token(&message));
        let call = Relayed {
            id: id.clone(),
            key: key.clone(),
            token: token.clone(),
            message,
            client,
            begun: Instant::now(),
        };
        let span = debug_span!("request", method = "tools/call", id = %String::from_utf8_lossy(&id), tool = name);
        let router = self.clone();
        let begun = self.inflight.begin(key, token.as_ref(), || {
            // Boxed before it is handed on: it is kilobytes, and each hand would copy them.
            let relay = Box::pin(async move { router.relay(call, &name).await });
            self.tasks.spawn(relay.instrument(span)).abort_handle()
        });
        if !begun {
            self.refuse_id(&id).await;
        }
    }

    /// One id, one answer: a second request under an id in use gets an error of its own.
    pub(super) async fn refuse_id(&self, id: &[u8]) {
        let text = "this id belongs to a request that is still running; use a new one";
        self.send(Line::error(id, code::INVALID_REQUEST, text, &Value::Null))
            .await;
    }

    async fn relay(self: Arc<Self>, call: Relayed, name: &str) {
        let line = match self.find(name).await {
            None => {
                let text = format!(
                    "unknown tool `{name}`; it may be filtered out or its server away: list the tools again"
                );
                Line::error(&call.id, code::INVALID_PARAMS, &text, &Value::Null)
            }
            Some(route) => self.answer(&call, route).await,
        };
        let Ok(permit) = self.outbox.reserve().await else {
            return;
        };
        // The call ends before its answer is queued: nothing of it can come after.
        if self.inflight.finish(&call.key) {
            permit.send(line);
        }
    }

    /// Finds the tool; if it is not there, once every upstream was heard: an early call is not
    /// refused for its haste.
    async fn find(&self, name: &str) -> Option<Route> {
        let now = self.view.borrow().catalog.route(name);
        if now.is_some() {
            return now;
        }
        let mut view = self.view.clone();
        let known = view.wait_for(|view| view.complete || view.catalog.route(name).is_some());
        known.await.ok()?.catalog.route(name)
    }

    async fn answer(&self, call: &Relayed, route: Route) -> Line {
        let Some(upstream) = self.upstreams.get(route.upstream) else {
            return Line::error(
                &call.id,
                code::INTERNAL_ERROR,
                "no such upstream",
                &Value::Null,
            );
        };
        match self.exchange(call, route, upstream).await {
            Ok(response) => {
                debug!(
                    upstream = %upstream.config().name,
                    status = if response.error().is_some() { "error" } else { "ok" },
                    duration = ?call.begun.elapsed(),
                    sent = call.message.bytes().len(),
                    received = response.bytes().len(),
                    "answered"
                );
                Line::with_id(&response, call.id.clone())
            }
            Err(error) => {
                debug!(error = %error, duration = ?call.begun.elapsed(), "failed");
                Line::error(&call.id, error.code(), &error.to_string(), &error.data())
            }
        }
    }

    /// Gets the response. It is asked for a second time only where that does nothing twice:
    /// the connection broke under a repeatable call, or the upstream refused an old schema.
    async fn exchange(
        &self,
        call: &Relayed,
        mut route: Route,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        let (mut repeated, mut refreshed) = (false, false);
        loop {
            match self.attempt(call, route.tool(), upstream).await {
                Ok(Attempt::Answered(response)) => return Ok(response),
                Ok(Attempt::Stale) => {
                    debug!("the upstream refused our headers; reading its tools again");
                    let fresh = match refreshed {
                        true => None,
                        false => upstream.refresh().await,
                    };
                    let fresh = fresh.and_then(|listing| route.in_listing(listing));
                    let refused = || upstream.error("tools/call", TransportError::HeaderMismatch);
                    route = fresh.ok_or_else(refused)?;
                    refreshed = true;
                }
                Err(Lost { error, heard }) => {
                    let again = !repeated && !heard && error.cause.is_interruption();
                    if !again || !route.tool().repeatable {
                        return Err(error);
                    }
                    debug!(error = %error, "sending a repeatable call again");
                    repeated = true;
                }
            }
        }
    }

    /// Sends the call once and relays what comes before the response.
    async fn attempt(
        &self,
        call: &Relayed,
        tool: &Tool,
        upstream: &Upstream,
    ) -> Result<Attempt, Lost> {
        let sent = upstream.call(|live| {
            let request = bridge::tool_call(&call.message, tool, call.client, live);
            debug!(
                upstream = %upstream.config().name,
                serial = request.id,
                bytes = request.body.len(),
                "forwarding"
            );
            self.inflight.sent(&call.key, upstream, request.id);
            request
        });
        let mut sent = sent.await.map_err(|error| Lost {
            error,
            heard: false,
        })?;
        let mut heard = false;
        let lost = |cause, heard| Lost {
            error: upstream.error("tools/call", cause),
            heard,
        };
        loop {
            let message = sent
                .exchange
                .next()
                .await
                .map_err(|cause| lost(cause, heard))?;
            if message.kind() == Kind::Response {
                let era = sent.live.era;
                if era == Era::Modern && is_header_mismatch(&message) {
                    return Ok(Attempt::Stale);
                }
                let response = bridge::response(message, call.client, era);
                let broken = |reason| lost(TransportError::Malformed(reason), heard);
                return response.map(Attempt::Answered).map_err(broken);
            }
            heard = true;
            self.pass_on(call, &message, sent.live.era).await;
        }
    }

    /// A notification that came with the call.
    async fn pass_on(&self, call: &Relayed, message: &Message, upstream: Era) {
        match &*message.method() {
            "notifications/progress" => {
                let token = message.param("progressToken");
                let given = call.token.as_deref().zip(token.as_ref());
                if !given.is_some_and(|(given, token)| is_same(given, token.value())) {
                    return debug!("dropping progress under a token that the client did not give");
                }
            }
            "notifications/message" if !call.wants_logs(upstream) => {
                return debug!("dropping a log that the client did not ask for");
            }
            _ => {}
        }
        self.send(Line::whole(message.bytes().clone())).await;
    }
}

impl Relayed {
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

fn is_header_mismatch(response: &Message) -> bool {
    let code = response
        .error()
        .and_then(|error| members(error).find(|member| member.key() == "code"));
    code.is_some_and(|code| code.value() == HEADER_MISMATCH)
}

/// The tool that a call names. Two names are refused: we would check one,
/// and the upstream might run the other.
fn tool_name(message: &Message) -> Result<String, &'static str> {
    let mut names = message.params_named("name");
    let (name, second) = (names.next(), names.next());
    if second.is_some() {
        return Err("`name` stands twice in the parameters");
    }
    let name = name.and_then(|name| decode(name.value()).map(std::borrow::Cow::into_owned));
    name.ok_or("the parameters lack `name`, a string")
}
