//! Calls: sends a client's request to an upstream, whatever the state of its connection.

pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod wait;

use std::sync::Arc;

use super::connection::ConnectionUse;
use super::connection::log_demand::LogDemandGuard;
use super::error::TransportError;
use super::error::reported::UpstreamError;
use super::flow::concurrency::CallPermit;
use super::flow::deadline::Activity;
use super::flow::request_context::RequestContext;
use super::flow::send_buffer::SendBuffer;
use super::id::ClientId;
use super::session::handle::{SessionHandle, SessionLease};
use super::session::pool::SessionPool;
use super::session::settings::UpstreamSettings;
use crate::protocol::{ClientProfile, LogLevel, Request};
use retry::RetryState;
use send::{SentRequest, send};
use wait::acquire_connection;

/// Sends the request that `build` makes for the connection, on behalf of the client with this profile.
///
/// The client receives logs of the request from `level` on, and reads the response from `send_buffer`. A call
/// to a disconnected upstream waits for the connection, and for a sign-in that is under way. A refused
/// request is sent again in three cases:
///
/// - The session has expired.
/// - The server is busy.
/// - Another server has replaced it.
///
/// # Errors
/// [`UpstreamError`]; its [`outcome`](TransportError::outcome) says whether the request may have run.
pub(crate) async fn call(
    pool: &SessionPool,
    method: &str,
    (client, profile): (ClientId, &Arc<ClientProfile>),
    level: Option<LogLevel>,
    send_buffer: Option<&Arc<SendBuffer>>,
    build: impl Fn(&ConnectionUse, &Activity) -> Request,
) -> Result<Call, UpstreamError> {
    let settings = &*pool.settings;
    let fail = |cause| settings.error(method, cause);
    let permit = acquire_permit(settings, method).await.map_err(fail)?;
    let mut lease: Option<SessionLease> = None;
    let mut retry = RetryState::new(settings);
    loop {
        let session = lease.as_ref().map_or(pool.main(), |lease| &lease.session);
        let connection = connection_after_login(settings, session, &mut retry).await;
        let connection = connection.map_err(fail)?;
        let exclusive_client = connection.is_exclusive().then_some(client);
        let is_claimed_by_other =
            lease.is_none() && exclusive_client.is_some_and(|client| !pool.claim_main(client));
        let serves_client = connection.serves(profile);
        if !serves_client && !is_claimed_by_other && session.will_serve(profile) {
            // The supervisor is about to replace it with a connection that does.
            retry.require_newer_than(connection.generation);
            continue;
        }
        if lease.is_none() && (is_claimed_by_other || !serves_client) {
            lease = Some(pool.lease_extra(exclusive_client, profile));
            retry.restart();
            continue;
        }
        connection.wait_for_event_stream(profile).await;
        let log_demand = settings.log_demand.raise(&connection.logs, level).await;
        let context = RequestContext {
            activity: Activity::default(),
            send_buffer: send_buffer.cloned(),
        };
        let request = build(&connection, &context.activity);
        let (result, log_demand) = match send(pool, &connection, request, context).await {
            Ok(sent) if sent.exchange.refusal_hint().is_none() => (Some(Ok(sent)), log_demand),
            refused => {
                drop(log_demand);
                // Boxed: large and rarely needed.
                let refusal = retry.handle_refusal(settings, session, connection, refused);
                (Box::pin(refusal).await, None)
            }
        };
        if let Some(result) = result {
            return Ok(Call {
                sent: result.map_err(fail)?,
                log_demand,
                permit,
            });
        }
    }
}

/// Waits until the call may run. Requests about a running task skip the limit: waiting calls may need that
/// task to end.
async fn acquire_permit(
    settings: &UpstreamSettings,
    method: &str,
) -> Result<Option<CallPermit>, TransportError> {
    if matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel") {
        return Ok(None);
    }
    let within = settings.config.timeout;
    settings.concurrency.acquire(within).await.map(Some)
}

/// Returns a connection for a call in this session. Waits for a sign-in that is under way.
async fn connection_after_login(
    settings: &UpstreamSettings,
    session: &SessionHandle,
    retry: &mut RetryState,
) -> Result<ConnectionUse, TransportError> {
    loop {
        match acquire_connection(settings, session, retry).await {
            Err(cause) if cause.is_signing_in() => {
                Box::pin(retry.wait_for_login(settings.authorizer.as_ref(), cause)).await?;
            }
            connection => return connection,
        }
    }
}

/// Returns the main session's connection. Waits for it as a call does.
///
/// # Errors
/// [`UpstreamError`], if the session is not connected in time.
pub(crate) async fn wait_for_connection(
    pool: &SessionPool,
    method: &str,
) -> Result<ConnectionUse, UpstreamError> {
    let settings = &*pool.settings;
    let mut retry = RetryState::new(settings);
    let connection = acquire_connection(settings, pool.main(), &mut retry).await;
    connection.map_err(|cause| settings.error(method, cause))
}

/// A call whose request was sent.
#[derive(Debug)]
pub struct Call {
    /// The request that was sent.
    pub sent: SentRequest,
    /// Raises the log level of a legacy server while the call runs.
    pub log_demand: Option<LogDemandGuard>,
    /// Counts the call among those that run; `None` if the limit does not apply.
    pub permit: Option<CallPermit>,
}
