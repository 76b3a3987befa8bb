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
pub(crate) async fn apply_log_level(context: &SessionContext, live: &Connection) -> TransportError {
    if !live.logs.is_adjustable() {
        return std::future::pending().await;
    }
    let (mut wish, mut wanted) = (
        context.settings.log_demand.subscribe(),
        live.logs.subscribe(),
    );
    loop {
        wanted.mark_unchanged();
        let wished = wish.borrow_and_update().requested();
        let Some(due) = live.logs.level_to_send(wished) else {
            // The senders live as long as we do.
            tokio::select! {
                _ = wish.changed() => {}
                _ = wanted.changed() => {}
            }
            continue;
        };
        let level = due.level.as_str();
        let answer = timeout(LEVEL_TIMEOUT, set(live, level)).await;
        live.logs.set_applied(due);
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

async fn set(live: &Connection, level: &str) -> Result<Message, TransportError> {
    live.request("logging/setLevel", json!({"level": level}))
        .await
}
