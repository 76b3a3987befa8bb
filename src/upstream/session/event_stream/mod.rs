//! The event stream: receives messages that belong to no request, on the stream of the server's era.

pub(crate) mod modern;
mod receive;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::backoff::Backoff;
use super::command::Command;
use super::context::SessionContext;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::transport::Transport;
use crate::upstream::transport::event_stream::{EventStream, Incoming};
use crate::upstream::transport::http_sse::stream::HttpSseStream;
use crate::upstream::transport::streamable_http_legacy::StreamableHttpLegacy;
use receive::{STABLE_AFTER, handle_message};

/// The longest pause that a server can request by the `retry` field of its stream.
const MAX_SERVER_RETRY: Duration = Duration::from_secs(60);

/// The state of the standalone stream.
#[derive(Default)]
struct StandaloneStream {
    /// Whether the stream was ever open in this session, so that the server supports it.
    was_open: bool,
    /// The id of the last event, if the stream can be resumed.
    last_event_id: Option<String>,
    /// The pause before reopening that the server requested.
    server_retry: Option<Duration>,
    /// Whether messages may have been lost while the stream was closed.
    may_have_missed: bool,
    backoff: Backoff,
}

impl StandaloneStream {
    /// Counts a failure, and returns how long to wait before reopening. An error that requires the user does
    /// not make the delay longer. The user may act at the next call.
    fn reopen_delay(&mut self, cause: &TransportError) -> Duration {
        if cause.retry_after().is_some() {
            return self.backoff.next_delay(cause);
        }
        let delay = self.backoff.next_delay(&TransportError::StreamEnded);
        let retry = self.server_retry.filter(|_| self.backoff.failures == 1);
        retry.map_or(delay, |retry| retry.min(MAX_SERVER_RETRY))
    }
}

/// Receives messages on the stream of the server's era. Returns when the connection is lost.
pub(crate) async fn run(
    context: &SessionContext,
    connection: &Arc<Connection>,
    stream: Option<HttpSseStream>,
) -> TransportError {
    match (&connection.transport, stream) {
        (Transport::HttpSse(_), Some(mut stream)) => loop {
            match stream.next().await {
                Ok(Some(message)) => handle_message(context, connection, message).await,
                Ok(None) => return TransportError::StreamEnded,
                Err(error) => return error,
            }
        },
        (Transport::StreamableHttpLegacy(session), _) => {
            run_legacy(context, connection, session).await
        }
        _ => modern::run(context, connection).await,
    }
}

/// Keeps the standalone GET stream open. Returns when the connection is lost.
async fn run_legacy(
    context: &SessionContext,
    connection: &Arc<Connection>,
    session: &StreamableHttpLegacy,
) -> TransportError {
    let (mut state, mut resumed) = (
        StandaloneStream::default(),
        context.settings.http_clients.resumed(),
    );
    loop {
        let opened = tokio::select! {
            opened = session.listen(state.last_event_id.as_deref()) => opened,
            // The request may have been sent on a connection that broke in suspend.
            _ = resumed.changed() => continue,
        };
        connection.mark_event_stream_ready();
        let cause = match opened {
            Err(lost @ TransportError::SessionExpired) if state.was_open => return lost,
            // The next request would fail the same way.
            Err(lost @ TransportError::Connect(_)) => return lost,
            Ok(None) if state.last_event_id.take().is_some() => {
                debug!("the server cannot resume the stream; opening a new one");
                state.may_have_missed = true;
                continue;
            }
            // A server that answers the first request with 404 has no such route.
            Ok(None) | Err(TransportError::SessionExpired) if !state.was_open => {
                return std::future::pending().await;
            }
            Ok(None) => {
                debug!("the server no longer offers a standalone stream");
                context.handle.commands.send(Command::CheckRevision);
                // Read the tools, since changes are not announced meanwhile.
                context.handle.commands.send(Command::RefreshTools);
                TransportError::StreamEnded
            }
            Err(error) => {
                debug!(%error, "standalone stream failed");
                context.request_revision_check(&error);
                error
            }
            Ok(Some(events)) => {
                if read_until_end(context, connection, events, &mut state, &mut resumed).await {
                    continue;
                }
                TransportError::StreamEnded
            }
        };
        sleep(state.reopen_delay(&cause)).await;
    }
}

/// Receives messages on a standalone stream until it ends. Returns `true` if it was left because the process
/// resumed after suspend.
async fn read_until_end(
    context: &SessionContext,
    connection: &Arc<Connection>,
    mut events: EventStream,
    state: &mut StandaloneStream,
    resumed: &mut watch::Receiver<u64>,
) -> bool {
    state.was_open = true;
    let opened_at = Instant::now();
    if std::mem::take(&mut state.may_have_missed) {
        context.handle.commands.send(Command::RefreshTools);
    }
    let has_resumed = loop {
        let next = tokio::select! {
            next = events.next() => next,
            _ = resumed.changed() => break true,
        };
        match next {
            Ok(Some(Incoming::Message(message))) => {
                handle_message(context, connection, message).await;
            }
            Ok(Some(Incoming::Endpoint(_))) => {}
            Ok(None) | Err(_) => break false,
        }
        state.backoff = Backoff::default();
    };
    state.last_event_id = events.last_event_id.take().or(state.last_event_id.take());
    state.server_retry = events.retry.or(state.server_retry);
    // Messages until the stream is open again are lost if it cannot be resumed.
    state.may_have_missed = state.last_event_id.is_none();
    if opened_at.elapsed() >= STABLE_AFTER {
        state.backoff = Backoff::default();
    }
    has_resumed
}
