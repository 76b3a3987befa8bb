//! The logs of upstreams, as far as the client wants them: by a level for its session in the legacy era, by
//! one with each request in the modern one (MCP 2025-11-25 and 2026-07-28 § Logging).

use tracing::debug;

use crate::protocol::Era;
use crate::protocol::reply::error_response;
use crate::router::call::request::ClientRequest;
use crate::router::client::ClientSession;
use crate::router::client::log_filter::{reaches_level, unknown_level};
use crate::router::context::Context;
use crate::upstream::{Connection, ConnectionUse, Upstream, UpstreamId};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Refuses a request with an unknown log level, at an upstream that would not judge it.
pub(crate) async fn refuse_unknown_level(
    request: &ClientRequest,
    upstream: &Upstream,
) -> Option<Message> {
    let named = request.caller.unknown_log_level.as_ref()?;
    let connection = upstream
        .wait_for_connection(&request.message.method())
        .await;
    let judges = connection.is_ok_and(|connection| connection.profile.era == Era::Modern);
    (!judges).then(|| error_response(code::INVALID_PARAMS, &unknown_level(named)))
}

/// Whether the client wants this log, which came with its request. A modern upstream keeps to what
/// a modern client requests.
pub(crate) fn accepts_log(
    session: &ClientSession,
    request: &ClientRequest,
    connection: &Connection,
    log: &Message,
) -> bool {
    match (request.caller.era, connection.profile.era) {
        (Era::Modern, Era::Modern) => true,
        (Era::Modern, Era::Legacy) => request
            .caller
            .log_level
            .is_some_and(|level| reaches_level(log, level)),
        (Era::Legacy, _) => session_accepts(session, log),
    }
}

/// A request of a modern client may have made the upstream log more than the session wants.
fn session_accepts(session: &ClientSession, log: &Message) -> bool {
    let level = session.profiles.level();
    level.is_none_or(|level| reaches_level(log, level))
}

/// Passes on a log that came outside of any request: to a session, or as long as a request of a modern
/// client is under way that wants it. A server may send it in all its sessions: the client's session
/// receives one of them.
pub(crate) async fn on_log(
    ctx: &Context,
    upstream: UpstreamId,
    connection: &ConnectionUse,
    log: &Message,
) {
    let Context { gateway, session } = ctx;
    let Some(permit) = session.outbox.reserve(log.bytes().len()).await else {
        return;
    };
    // Nothing awaits from here on: a request that ends no longer wants logs before its answer
    // is queued, so none can follow the answer.
    let to_session = session.is_initialized()
        && session_accepts(session, log)
        && ctx.is_connection_of_session(upstream, connection);
    let wanted = || {
        connection
            .logs
            .demanded()
            .is_some_and(|level| reaches_level(log, level))
    };
    // Of several clients, another's request may want it.
    let is_own = || {
        let in_flight = &session.in_flight;
        !gateway.is_shared()
            || in_flight.has_log_level(connection, |level| reaches_level(log, level))
    };
    match to_session || wanted() && is_own() {
        true => permit.send(Line::whole(log.bytes().clone())),
        false => debug!("dropping a log that the client did not ask for"),
    }
}
