//! A request that was sent: what the upstream says and asks before it responds.

use std::sync::Arc;

use bytes::Bytes;
use tracing::debug;

use super::Lost;
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::bridge::target::Target;
use crate::protocol::json_key::{Key, is_same};
use crate::protocol::reply::cancelled;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::{
    Activity, Call, CallPermit, Connection, Exchange, Inbox, LogDemandGuard, SentRequest,
    TransportError, Upstream, UpstreamId,
};
use crate::wire::{Kind, Line, Message};

/// A request on its way, until its response. Dropping it closes its stream.
#[derive(Debug)]
pub(crate) struct UnderWay {
    exchange: Exchange,
    pub(crate) live: Arc<Connection>,
    pub(crate) upstream: UpstreamId,
    /// Its id at the upstream.
    pub(crate) serial: u64,
    /// The token under which the upstream reports progress.
    token: Option<Bytes>,
    /// By which it is asked what the upstream asks elsewhere.
    caller: Option<Inbox>,
    /// That its client hears the upstream's logs as long as it runs.
    pub(crate) logs: Option<LogDemandGuard>,
    /// That it runs, of the calls that may at a time. One that waits for a person does not count.
    pub(crate) admitted: Option<CallPermit>,
    /// By what it shows life.
    pub(crate) activity: Activity,
    /// Whether the client has heard something of it.
    pub(crate) heard: bool,
}

/// What a request has come to.
pub(crate) enum Followed {
    /// The response, as the upstream wrote it.
    Response(Message),
    /// A request of the upstream, which this client can be asked only by an answer.
    Asked(Message),
}

impl UnderWay {
    pub(crate) fn new(request: &Relayed, upstream: &Upstream, call: Call) -> Self {
        let Call {
            sent,
            logs,
            admitted,
        } = call;
        let SentRequest {
            exchange,
            caller,
            live,
            activity,
        } = sent;
        Self {
            token: request.token.clone(),
            serial: exchange.id(),
            exchange,
            caller,
            live,
            logs,
            admitted,
            activity,
            upstream: upstream.id(),
            heard: false,
        }
    }

    /// What the upstream says next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        match &mut self.caller {
            None => self.exchange.next().await,
            // Once the response is out, nobody would hear what was asked before it.
            Some(caller) => tokio::select! {
                biased;
                asked = caller.asked() => Ok(asked),
                said = self.exchange.next() => said,
            },
        }
    }

    /// The token under which the upstream reports progress, and that of the request by which the
    /// client has come back, where they are two.
    pub(crate) fn renamed<'a>(&'a self, request: &'a Relayed) -> Option<(&'a Bytes, &'a Bytes)> {
        let (given, known) = self.token.as_ref().zip(request.token.as_ref())?;
        (!is_same(given, known)).then_some((given, known))
    }

    /// It takes up no more of what the upstream asks.
    pub(crate) fn has_ended(&mut self) {
        self.caller = None;
    }
}

impl Router {
    /// Follows a request until it is answered, or until its client must be asked by an answer.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
        way: &mut UnderWay,
    ) -> Result<Followed, Lost> {
        loop {
            let message = match way.next().await {
                Ok(message) => message,
                // Silence is no failure while it is the client who is waited for.
                Err(silence)
                    if silence.is_timeout() && self.asks.is_asking(&way.live, way.serial) =>
                {
                    continue;
                }
                Err(cause) => {
                    if cause.is_timeout() {
                        // MCP 2025-11-25 § Lifecycle, Timeouts.
                        let body = cancelled(way.serial, "no answer in time");
                        self.answer_upstream(&way.live, body);
                    }
                    self.withdraw_of_call(&way.live, way.serial);
                    return Err(Lost {
                        error: upstream.error(&target.method, cause),
                        heard: way.heard,
                    });
                }
            };
            match (message.kind(), request.speaker.era) {
                (Kind::Response, _) => return Ok(Followed::Response(message)),
                (Kind::Notification, _) if self.hear_aside(upstream, &message).await => {}
                (Kind::Notification, _) => {
                    way.heard = true;
                    self.pass_on(request, &message, way).await;
                }
                (Kind::Request, era)
                    if !request
                        .speaker
                        .identity
                        .accepts_server_request(&message, era) =>
                {
                    self.refuse_upstream(&way.live, &message);
                }
                (Kind::Request, Era::Legacy) => {
                    way.heard = true;
                    // What the client does to answer may be a call there.
                    way.admitted = None;
                    let serial = Some(way.serial);
                    self.ask_client(&way.live, serial, &message).await;
                }
                (Kind::Request, Era::Modern) if !input::is_supported(&target.method) => {
                    self.decline(&way.live, &message);
                }
                (Kind::Request, Era::Modern) => return Ok(Followed::Asked(message)),
            }
        }
    }

    /// A notification that came with the request.
    async fn pass_on(&self, request: &Relayed, message: &Message, way: &UnderWay) {
        match &*message.method() {
            "notifications/progress" => return self.pass_progress(request, message, way).await,
            "notifications/cancelled" => return self.withdraw(&way.live, message).await,
            "notifications/message" if !self.wants_log(request, &way.live, message) => {
                return debug!("dropping a log that the client did not ask for");
            }
            _ if self.hides(message, way.upstream, request.speaker.era) => {
                return debug!("dropping news of a task that the client does not know");
            }
            "notifications/elicitation/complete" if request.speaker.era == Era::Modern => {
                return debug!("dropping what a modern client does not know");
            }
            _ => {}
        }
        self.send(Line::whole(message.bytes().clone())).await;
    }

    /// Passes progress under the token that the client gave, which is another than the upstream's
    /// when the client has come back to a call that was parked.
    async fn pass_progress(&self, request: &Relayed, message: &Message, way: &UnderWay) {
        let token = message.param("progressToken");
        let is_ours = way.token.as_deref().zip(token.as_ref());
        let (true, Some(given), Some(token)) = (
            is_ours.is_some_and(|(ours, token)| is_same(ours, token.value())),
            &request.token,
            &token,
        ) else {
            return debug!("dropping progress under a token that the client did not give");
        };
        let line = match is_same(given, token.value()) {
            true => message.bytes().clone(),
            false => bridge::with_param(message, "progressToken", given),
        };
        self.send(Line::whole(line)).await;
    }

    /// Progress that came on no stream of its call, as the client is to hear it.
    pub(crate) fn heard_progress(&self, message: &Message) -> Option<Bytes> {
        let token = message.param("progressToken")?;
        let key = Key::new(&message.bytes().slice_ref(token.value()));
        if self.inflight.hear(&key) {
            return Some(message.bytes().clone());
        }
        let known = self.inflight.known_as(&key)?;
        self.inflight.hear(&Key::new(&known));
        Some(bridge::with_param(message, "progressToken", &known))
    }
}
