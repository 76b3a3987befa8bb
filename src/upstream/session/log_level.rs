//! Sends the log level to a legacy server (MCP 2025-11-25 § Logging).

use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::context::SessionContext;
use crate::protocol::reply::error_text;
use crate::upstream::connection::Connection;
use crate::upstream::connection::log_demand::LEVEL_TIMEOUT;
use crate::upstream::error::TransportError;
use crate::wire::Message;

/// Sends the log level now and at each change. Returns when the session has expired. A level that the server
/// rejects is not sent again.
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
            // The senders outlive this task.
            tokio::select! {
                _ = client_levels.changed() => {}
                _ = demanded.changed() => {}
            }
            continue;
        };
        let level = due.level.as_str();
        let response = timeout(LEVEL_TIMEOUT, send_level(connection, level)).await;
        connection.logs.set_applied(due);
        match response.unwrap_or(Err(TransportError::OwnRequestTimeout(LEVEL_TIMEOUT))) {
            Err(lost @ TransportError::SessionExpired) => return lost,
            Err(error) => warn!(%error, level, "cannot set the log level"),
            Ok(response) if response.error().is_some() => {
                let error = error_text(&response);
                warn!(error, level, "the server rejected the log level");
            }
            Ok(_) => debug!(level, "log level set"),
        }
    }
}

async fn send_level(connection: &Connection, level: &str) -> Result<Message, TransportError> {
    connection
        .request("logging/setLevel", json!({"level": level}))
        .await
}
