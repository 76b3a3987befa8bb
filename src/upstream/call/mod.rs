//! Sending a request to an upstream, whatever state its connection is in.

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
use wait::connection_for;

/// Sends the request that `build` makes for the connection as it is, on behalf of the client
/// of this profile, which asks for its logs from `level` on and reads the answer from `send_buffer`. A call to a
/// disconnected upstream waits for the connection, and for a login that a person is at. A request that the upstream refused, since its session is
/// gone, it is busy, or it is another server by now, is sent once more when that is over.
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
    let admitted = admit(settings, method).await.map_err(fail)?;
    let mut lease: Option<SessionLease> = None;
    let mut retry = RetryState::new(settings);
    loop {
        let session = lease.as_ref().map_or(pool.main(), |lease| &lease.session);
        let connection = connection_after_login(settings, session, &mut retry).await;
        let connection = connection.map_err(fail)?;
        let client = connection.is_exclusive().then_some(client);
        let is_others = lease.is_none() && client.is_some_and(|client| !pool.claim_main(client));
        let serves = connection.serves(profile);
        if !serves && !is_others && session.will_serve(profile) {
            // It is about to be replaced by one that does.
            retry.after(connection.generation);
            continue;
        }
        if lease.is_none() && (is_others || !serves) {
            lease = Some(pool.for_caller(client, profile));
            retry.restart();
            continue;
        }
        connection.wait_for_event_stream(profile).await;
        let logs = settings.log_demand.raise(&connection.logs, level).await;
        let context = RequestContext {
            activity: Activity::default(),
            send_buffer: send_buffer.cloned(),
        };
        let request = build(&connection, &context.activity);
        let (tried, logs) = match send(pool, &connection, request, context).await {
            Ok(sent) if sent.exchange.refusal_hint().is_none() => (Some(Ok(sent)), logs),
            refused => {
                drop(logs);
                // Boxed: it is large, and hardly ever needed.
                let refusal = retry.handle_refusal(settings, session, connection, refused);
                (Box::pin(refusal).await, None)
            }
        };
        if let Some(tried) = tried {
            return Ok(Call {
                sent: tried.map_err(fail)?,
                logs,
                admitted,
            });
        }
    }
}

/// Waits until the call may run. What looks after a task that runs already does not wait: to end one may
/// be what the others wait for.
async fn admit(
    settings: &UpstreamSettings,
    method: &str,
) -> Result<Option<CallPermit>, TransportError> {
    if matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel") {
        return Ok(None);
    }
    let within = settings.config.timeout;
    settings.concurrency.acquire(within).await.map(Some)
}

/// Returns a connection for a call in this session; waits for a person who is signing in.
async fn connection_after_login(
    settings: &UpstreamSettings,
    session: &SessionHandle,
    retry: &mut RetryState,
) -> Result<ConnectionUse, TransportError> {
    loop {
        match connection_for(settings, session, retry).await {
            Err(cause) if cause.is_signing_in() => {
                Box::pin(retry.wait_for_login(settings.authorizer.as_ref(), cause)).await?;
            }
            connection => return connection,
        }
    }
}

/// Returns the main session's connection; waits for it as a call does.
///
/// # Errors
/// [`UpstreamError`], when there is none in time.
pub(crate) async fn connected(
    pool: &SessionPool,
    method: &str,
) -> Result<ConnectionUse, UpstreamError> {
    let settings = &*pool.settings;
    let mut retry = RetryState::new(settings);
    let connection = connection_for(settings, pool.main(), &mut retry).await;
    connection.map_err(|cause| settings.error(method, cause))
}

/// A request that is under way.
#[derive(Debug)]
pub struct Call {
    /// The request.
    pub sent: SentRequest,
    /// That its logs are wanted, where the upstream has to be told.
    pub logs: Option<LogDemandGuard>,
    /// That it runs, of the calls that may at a time.
    pub admitted: Option<CallPermit>,
}
