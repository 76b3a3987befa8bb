//! Logs of upstreams, as far as the client wants them: by a level for its session in the legacy era, by
//! one with each request in the modern one (MCP 2025-11-25 and 2026-07-28 § Logging).

use std::sync::Arc;

use tracing::debug;

use crate::protocol::reply::failure;
use crate::protocol::{Era, LogLevel};
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::{Connection, Upstream, UpstreamId};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

/// Whether a log is to be heard by who wants them from `level` on. One that names no level known
/// here is heard by all.
fn reaches(log: &Message, level: LogLevel) -> bool {
    let member = log.param("level");
    let named = member.and_then(|member| LogLevel::parse(&decode(member.value())?));
    named.is_none_or(|named| named >= level)
}

fn unknown(named: &str) -> String {
    let names = LogLevel::names();
    format!("unknown log level `{named}`; use one of {names}")
}

impl Router {
    /// Answers `logging/setLevel` once the upstreams that are connected know it, or had their time.
    pub(crate) async fn set_level(self: &Arc<Self>, message: Message, client: Era) {
        let Some(named) = self.only(&message, "level").await else {
            return;
        };
        let Some(level) = LogLevel::parse(&named) else {
            let text = unknown(&named);
            return self.refuse(&message, code::INVALID_PARAMS, &text).await;
        };
        // At once, for all requests that follow.
        self.client.set_level(level);
        for upstream in self.upstreams.all().iter() {
            upstream.set_level(Some(level));
        }
        self.relay(message, client, named, |router, request| async move {
            let upstreams = router.upstreams.all();
            let told = upstreams.iter().map(Upstream::level_applied);
            futures_util::future::join_all(told).await;
            Line::result(&request.id, &b"{}"[..])
        })
        .await;
    }

    /// The refusal of a request whose log level is none, at an upstream that would not judge it.
    pub(crate) async fn refuse_level(
        &self,
        request: &Relayed,
        upstream: &Upstream,
    ) -> Option<Message> {
        let named = request.speaker.unknown_level.as_ref()?;
        let live = upstream.connected(&request.message.method()).await;
        let judges = live.is_ok_and(|live| live.profile.era == Era::Modern);
        (!judges).then(|| failure(code::INVALID_PARAMS, &unknown(named)))
    }

    /// Whether the client wants this log, which came with its request. A modern upstream keeps to what
    /// a modern client asks for.
    pub(crate) fn wants_log(&self, request: &Relayed, live: &Connection, log: &Message) -> bool {
        match (request.speaker.era, live.profile.era) {
            (Era::Modern, Era::Modern) => true,
            (Era::Modern, Era::Legacy) => request
                .speaker
                .level
                .is_some_and(|level| reaches(log, level)),
            (Era::Legacy, _) => self.session_wants(log),
        }
    }

    /// A request of a modern client may have made the upstream say more than the session wants.
    fn session_wants(&self, log: &Message) -> bool {
        let level = self.client.level();
        level.is_none_or(|level| reaches(log, level))
    }

    /// Passes on a log that came outside any request: to a session, or as long as a request of a modern
    /// client is under way that wants it. A server may say it in all its sessions: the client's session
    /// hears one of them.
    pub(crate) async fn hear_log(
        &self,
        upstream: UpstreamId,
        live: &Arc<Connection>,
        log: &Message,
    ) {
        let Some(permit) = self.outbox.reserve(log.bytes().len()).await else {
            return;
        };
        // Nothing awaits from here on: a request that ends no longer wants logs before its answer
        // is queued, so none can follow the answer.
        let is_heard = || {
            let upstream = self.upstreams.get(upstream);
            upstream.is_some_and(|it| it.is_session_of(live, &self.client.session()))
        };
        let to_session = self.announcements.is_legacy() && self.session_wants(log) && is_heard();
        let wanted = || live.logs.wanted().is_some_and(|level| reaches(log, level));
        match to_session || wanted() {
            true => permit.send(Line::whole(log.bytes().clone())),
            false => debug!("dropping a log that the client did not ask for"),
        }
    }
}

impl Relayed {
    /// From which level on a legacy upstream is to log for this request; a session's level it knows.
    pub(crate) fn level(&self) -> Option<LogLevel> {
        self.speaker
            .level
            .filter(|_| self.speaker.era == Era::Modern)
    }
}
