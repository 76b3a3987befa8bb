//! Runs the jobs on one connection until it is lost.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::backoff::Backoff;
use super::changes::announce_changes;
use super::command::Command;
use super::context::SessionContext;
use super::event_stream;
use super::health::{check_health, check_revision};
use super::log_level::apply_log_level;
use super::resource_subscriptions::apply_subscriptions;
use super::state::{ConnectionEnd, State};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::transport::http_sse::stream::HttpSseStream;

/// Publishes a connection, and runs its jobs until it is lost. Returns how it ended, or `None` if cancelled.
pub(crate) async fn run_until_lost(
    context: &SessionContext,
    connection: &Arc<Connection>,
    stream: Option<HttpSseStream>,
    cancel: &CancellationToken,
) -> Option<ConnectionEnd> {
    // A connection whose first listing fails counts as a failed attempt, so a delay follows.
    let had_tools = AtomicBool::new(false);
    context
        .subscriptions
        .reset_for_connection(connection.generation);
    if let Some(offers) = &context.offers {
        offers.set_profile(&connection.server_profile);
    }
    context.handle.publish(State::Ready(connection.clone()));
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        cause = apply_log_level(context, connection) => Some(cause),
        Err(cause) = refresh_tools(context, connection, &had_tools) => Some(cause),
        cause = event_stream::run(context, connection, stream) => Some(cause),
        cause = apply_subscriptions(context, connection) => Some(cause),
        cause = announce_changes(context, connection) => Some(cause),
        cause = check_health(context, connection) => Some(cause),
        cause = check_revision(context, connection) => Some(cause),
        cause = context.handle.wait_until_lost(connection.generation) => Some(cause),
        () = close_when_superseded(context, connection) => Some(TransportError::SessionExpired),
    };
    context.subscriptions.reset_for_connection(0);
    context.events.on_disconnect(&connection.begin_use());
    let Some(cause) = ended else {
        connection.transport.close().await;
        return None;
    };
    Some(ConnectionEnd {
        cause,
        had_tools: had_tools.load(Ordering::Relaxed),
        was_stable: connection.is_stable(),
    })
}

/// Waits until the client declares other capabilities, and closes the session, which was for the old ones.
async fn close_when_superseded(context: &SessionContext, connection: &Connection) {
    context.handle.wait_until_superseded(connection).await;
    connection.transport.close().await;
}

/// Reads the tools now and at each [`Command::RefreshTools`]. An extra session reads none.
async fn refresh_tools(
    context: &SessionContext,
    connection: &Connection,
    had_tools: &AtomicBool,
) -> Result<Infallible, TransportError> {
    let Some(offers) = &context.offers else {
        debug!(version = connection.server_profile.version, "connected");
        had_tools.store(true, Ordering::Relaxed);
        return std::future::pending().await;
    };
    let tools = offers.refresh_tools(connection).await?;
    had_tools.store(true, Ordering::Relaxed);
    info!(
        era = connection.server_profile.era.as_str(),
        version = connection.server_profile.version,
        tools,
        "connected"
    );
    let commands = &context.handle.commands;
    let mut backoff = Backoff::default();
    loop {
        if backoff.failures == 0 {
            commands.wait_for(Command::RefreshTools).await;
        }
        match offers.refresh_tools(connection).await {
            Ok(tools) => {
                debug!(tools, "tools listed again");
                backoff = Backoff::default();
            }
            Err(error @ TransportError::SessionExpired) => return Err(error),
            Err(error) => {
                context.request_revision_check(&error);
                let delay = backoff.next_delay(&error);
                match backoff.failures {
                    1 => warn!(%error, retry_in = ?delay, "listing failed; the last listing stays"),
                    _ => debug!(%error, retry_in = ?delay, "listing failed again"),
                }
                tokio::select! {
                    () = commands.wait_for(Command::RefreshTools) => {}
                    () = sleep(delay) => {}
                }
            }
        }
    }
}
