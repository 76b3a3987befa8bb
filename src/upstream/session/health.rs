//! Checks of a connection. One is whether the server still knows the session. The other is whether it is
//! still the server of the handshake. Neither check has side effects at the server.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, info};

use super::command::Command;
use super::context::SessionContext;
use crate::config::TransportChoice;
use crate::protocol::Era;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::Reader;
use crate::upstream::transport::Transport;
use crate::upstream::transport::http_sse::stream::STREAM_PING_TIMEOUT;
use crate::upstream::transport::refusal_hint::RefusalHint;
use crate::wire::Message;

/// How long a server may take to answer a `ping`, except on the stream of HTTP+SSE.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Verifies the connection when the process resumes after suspend, and at each [`Command::Verify`]. Returns when
/// the connection is lost. A modern connection needs no verification, since its requests are independent.
pub(crate) async fn check_health(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    let mut resumed = context.settings.http_clients.resumed();
    loop {
        let resume_count = *resumed.borrow_and_update();
        let has_resumed = !connection.is_verified_since(resume_count);
        if !has_resumed {
            tokio::select! {
                () = context.handle.commands.wait_for(Command::Verify) => {}
                _ = resumed.changed() => continue,
            }
        }
        // The response cannot be read while the client reads nothing.
        context
            .settings
            .read_gate
            .wait_until_open(&Reader::AllClients)
            .await;
        if let Err(lost) = verify_connection(connection, has_resumed).await
            && context.settings.read_gate.is_open(&Reader::AllClients)
        {
            return lost;
        }
        connection.mark_verified(resume_count);
        // Calls may wait for a verified connection.
        context.handle.republish();
    }
}

/// Checks the server's revision at each [`Command::CheckRevision`]. Returns when another server has replaced it.
pub(crate) async fn check_revision(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    let (commands, checks) = (&context.handle.commands, &context.handle.checks);
    loop {
        commands.wait_for(Command::CheckRevision).await;
        if !checks.is_verified_recently() {
            // Boxed: large and rarely needed.
            if Box::pin(is_different_server(context, connection)).await {
                info!("another server answers at the url; connecting again");
                return TransportError::SessionExpired;
            }
            debug!("the server still speaks its era");
            checks.mark_verified();
        }
        checks.publish_confirmation();
    }
}

/// Returns `true` if another server has replaced this one. A server that cannot be reached counts as the same.
async fn is_different_server(context: &SessionContext, connection: &Connection) -> bool {
    if context.settings.config.transport != TransportChoice::Sse
        && let Ok(is_modern) = is_modern(context, connection).await
        && is_modern != (connection.server_profile.era == Era::Modern)
    {
        return true;
    }
    if connection.server_profile.era == Era::Modern {
        return false;
    }
    match ping(connection).await {
        Err(TransportError::SessionExpired) => true,
        Err(error) => RefusalHint::from_error(&error) == Some(RefusalHint::OtherEra),
        Ok(_) => false,
    }
}

/// Returns `true` if the server at the URL is modern now.
async fn is_modern(
    context: &SessionContext,
    connection: &Connection,
) -> Result<bool, TransportError> {
    let handshake = context.handshake(&connection.client_profile, connection.generation, &|| {});
    handshake.is_modern(context.settings.http_factory()()).await
}

/// Checks whether the server still knows the session. Returns an error if the connection is lost.
async fn verify_connection(
    connection: &Connection,
    has_resumed: bool,
) -> Result<(), TransportError> {
    let is_stream = match &connection.transport {
        Transport::StreamableHttp(_) => return Ok(()),
        // A new stream opens faster than a dead one is detected, and no call waits on an idle stream.
        Transport::HttpSse(stream) if has_resumed && stream.is_idle() => {
            debug!("the stream may have broken in suspend; connecting again");
            return Err(TransportError::SessionExpired);
        }
        transport => matches!(transport, Transport::HttpSse(_)),
    };
    match ping(connection).await {
        Err(lost @ (TransportError::SessionExpired | TransportError::Connect(_))) => Err(lost),
        Err(silent) if is_stream => Err(silent),
        Err(error) => {
            debug!(%error, "ping failed");
            Ok(())
        }
        Ok(_) => {
            debug!("ping answered");
            Ok(())
        }
    }
}

async fn ping(connection: &Connection) -> Result<Message, TransportError> {
    let ping_timeout = match connection.transport {
        Transport::HttpSse(_) => STREAM_PING_TIMEOUT,
        _ => PING_TIMEOUT,
    };
    let response = timeout(ping_timeout, connection.request("ping", json!({}))).await;
    response.unwrap_or(Err(TransportError::OwnRequestTimeout(ping_timeout)))
}
