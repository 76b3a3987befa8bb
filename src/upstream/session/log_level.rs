//! Telling a legacy upstream how much to log (MCP 2025-11-25 § Logging).

use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::context::SessionContext;
use crate::protocol::reply::error_text;
use crate::upstream::connection::Connection;
use crate::upstream::connection::log_demand::LEVEL_TIMEOUT;
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// Tells the upstream its level now and whenever it must be another; returns when the session is
/// gone. What it refuses is not asked for again: it logs as it likes.
pub(crate) async fn apply_log_level(
    context: &SessionContext,
    connection: &Connection,
) -> TransportError {
    if !connection.logs.is_adjustable() {
        return std::future::pending().await;
    }
    let (mut client_levels, mut demanded) = (
        context.settings.log_demand.subscribe(),
        connection.logs.subscribe(),
    );
    loop {
        demanded.mark_unchanged();
        let requested = client_levels.borrow_and_update().requested();
        let Some(due) = connection.logs.level_to_send(requested) else {
            // The senders live as long as we do.
            tokio::select! {
                _ = client_levels.changed() => {}
                _ = demanded.changed() => {}
            }
            continue;
        };
        let level = due.level.as_str();
        let answer = timeout(LEVEL_TIMEOUT, send_level(connection, level)).await;
        connection.logs.set_applied(due);
        match answer.unwrap_or(Err(TransportError::IdleTimeout(LEVEL_TIMEOUT))) {
            Err(gone @ TransportError::SessionExpired) => return gone,
            Err(error) => warn!(%error, level, "the log level could not be set"),
            Ok(answer) if answer.error().is_some() => {
                let error = error_text(&answer);
                warn!(error, level, "the upstream refused the log level");
            }
            Ok(_) => debug!(level, "logs from this level on"),
        }
    }
}

async fn send_level(connection: &Connection, level: &str) -> Result<Message, TransportError> {
    connection
        .request("logging/setLevel", json!({"level": level}))
        .await
}
