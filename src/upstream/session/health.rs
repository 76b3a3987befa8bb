//! Looking after a connection of which there is doubt: whether its server still knows it, and whether it is
//! still the server that was shaken hands with. Neither look has an effect.

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

/// How long a server may take to answer a `ping`, other than on the stream of HTTP+SSE.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a `ping` when the process has resumed up or a call was cut off; returns when the connection
/// is gone. In the modern era every request stands for itself.
pub(crate) async fn check_health(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    let mut resumed = context.settings.http_clients.resumed();
    loop {
        let resumes = *resumed.borrow_and_update();
        let has_resumed = !connection.is_verified_since(resumes);
        if !has_resumed {
            tokio::select! {
                () = context.handle.commands.wait_for(Command::Verify) => {}
                _ = resumed.changed() => continue,
            }
        }
        // An answer cannot be read while the client reads nothing.
        context
            .settings
            .read_gate
            .wait_until_open(&Reader::AllClients)
            .await;
        if let Err(gone) = verify_connection(connection, has_resumed).await
            && context.settings.read_gate.is_open(&Reader::AllClients)
        {
            return gone;
        }
        connection.mark_verified(resumes);
        // Somebody may wait for that.
        context.handle.republish();
    }
}

/// Finds out what the server is when its answers make one doubt; returns when it is another.
pub(crate) async fn check_revision(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    let (commands, checks) = (&context.handle.commands, &context.handle.checks);
    loop {
        commands.wait_for(Command::CheckRevision).await;
        if !checks.is_verified_recently() {
            // Boxed: it is large, and hardly ever needed.
            if Box::pin(is_different_server(context, connection)).await {
                info!("another server answers at its url; connecting anew");
                return TransportError::SessionExpired;
            }
            debug!("the server is still of its era");
            checks.mark_verified();
        }
        checks.publish_confirmation();
    }
}

/// Whether the server is another than it was. One that cannot be asked is not.
async fn is_different_server(context: &SessionContext, connection: &Connection) -> bool {
    if context.settings.config.transport != TransportChoice::Sse
        && let Ok(is_modern) = is_modern(context, connection).await
        && is_modern != (connection.profile.era == Era::Modern)
    {
        return true;
    }
    if connection.profile.era == Era::Modern {
        return false;
    }
    match ping(connection).await {
        Err(TransportError::SessionExpired) => true,
        Err(error) => RefusalHint::from_error(&error) == Some(RefusalHint::OtherEra),
        Ok(_) => false,
    }
}

/// Returns `true` if the server that answers now is a modern one.
async fn is_modern(
    context: &SessionContext,
    connection: &Connection,
) -> Result<bool, TransportError> {
    let handshake = context.handshake(&connection.client_profile, connection.generation, &|| {});
    handshake.is_modern(context.settings.http_factory()()).await
}

/// Finds out whether the server still knows the connection; an error when it is gone.
async fn verify_connection(
    connection: &Connection,
    has_resumed: bool,
) -> Result<(), TransportError> {
    let is_stream = match &connection.transport {
        Transport::StreamableHttp(_) => return Ok(()),
        // A new stream is there sooner than it is known of the old one that it is dead, and nobody
        // waits for anything on that.
        Transport::HttpSse(stream) if has_resumed && stream.is_idle() => {
            debug!("its stream may have died in sleep; connecting anew");
            return Err(TransportError::SessionExpired);
        }
        transport => matches!(transport, Transport::HttpSse(_)),
    };
    match ping(connection).await {
        Err(gone @ (TransportError::SessionExpired | TransportError::Connect(_))) => Err(gone),
        Err(silent) if is_stream => Err(silent),
        Err(error) => {
            debug!(%error, "no answer to a ping");
            Ok(())
        }
        Ok(_) => {
            debug!("the session is alive");
            Ok(())
        }
    }
}

async fn ping(connection: &Connection) -> Result<Message, TransportError> {
    let ping_timeout = match connection.transport {
        Transport::HttpSse(_) => STREAM_PING_TIMEOUT,
        _ => PING_TIMEOUT,
    };
    let answer = timeout(ping_timeout, connection.request("ping", json!({}))).await;
    answer.unwrap_or(Err(TransportError::HandshakeTimeout(ping_timeout)))
}
