//! The logs of upstreams, filtered by the client's log level. A legacy client sets one level for its session, a
//! modern client one with each request (MCP 2025-11-25 and 2026-07-28 § Logging).

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

/// Rejects a request with an unknown log level, unless the upstream is modern and validates the level itself.
pub(crate) async fn refuse_unknown_level(
    request: &ClientRequest,
    upstream: &Upstream,
) -> Option<Message> {
    let named = request.caller.unknown_log_level.as_ref()?;
    let connection = upstream
        .wait_for_connection(&request.message.method())
        .await;
    let validates = connection.is_ok_and(|connection| connection.server_profile.era == Era::Modern);
    (!validates).then(|| error_response(code::INVALID_PARAMS, &unknown_level(named)))
}

/// Returns `true` if the client accepts this log, which came on the stream of its request. A modern upstream
/// applies a modern client's level itself.
pub(crate) fn accepts_log(
    session: &ClientSession,
    request: &ClientRequest,
    connection: &Connection,
    log: &Message,
) -> bool {
    match (request.caller.era, connection.server_profile.era) {
        (Era::Modern, Era::Modern) => true,
        (Era::Modern, Era::Legacy) => request
            .caller
            .log_level
            .is_some_and(|level| reaches_level(log, level)),
        (Era::Legacy, _) => session_accepts(session, log),
    }
}

/// Returns `true` if the session's level accepts this log. The level of a modern request may have made the
/// upstream send more.
fn session_accepts(session: &ClientSession, log: &Message) -> bool {
    let level = session.profiles.level();
    level.is_none_or(|level| reaches_level(log, level))
}

/// Forwards a log outside of requests.
///
/// The client receives the log if its session accepts it. A modern client also receives it if a request in
/// flight accepts it. A server may send the log in all its sessions. The client receives that of its own.
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
    // No await from here on. A request removes its log level before its response is queued, so logs cannot
    // follow the response.
    let to_session = session.is_initialized()
        && session_accepts(session, log)
        && ctx.is_connection_of_session(upstream, connection);
    let is_demanded = || {
        connection
            .logs
            .demanded()
            .is_some_and(|level| reaches_level(log, level))
    };
    // With several clients, the log demand may be another client's.
    let is_own_demand = || {
        let in_flight = &session.in_flight;
        !gateway.is_shared()
            || in_flight.has_log_level(connection, |level| reaches_level(log, level))
    };
    match to_session || is_demanded() && is_own_demand() {
        true => permit.send(Line::whole(log.bytes().clone())),
        false => debug!("dropping a log that the client did not request"),
    }
}
