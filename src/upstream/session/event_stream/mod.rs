//! What an upstream says outside any request, on the stream that its era has for it.

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

/// The longest time for which a server's `retry` keeps its stream from being opened again.
const MAX_RETRY: Duration = Duration::from_secs(60);

/// Where the standalone stream stands.
#[derive(Default)]
struct StandaloneStream {
    /// Whether it was open in this session, so that there is one.
    was_open: bool,
    /// The last event on it, where it can be resumed.
    last_event_id: Option<String>,
    /// When the server wants it to be opened again.
    server_retry: Option<Duration>,
    /// Whether something may have been said that nobody heard.
    may_have_missed: bool,
    backoff: Backoff,
}

impl StandaloneStream {
    /// How long to wait before it is opened again. What only a person can mend is no reason to wait
    /// longer: whoever mends it may do so by the next call.
    fn reopen_delay(&mut self, cause: &TransportError) -> Duration {
        if cause.retry_after().is_some() {
            return self.backoff.next_delay(cause);
        }
        let delay = self.backoff.next_delay(&TransportError::StreamEnded);
        let retry = self.server_retry.filter(|_| self.backoff.failures == 1);
        retry.map_or(delay, |retry| retry.min(MAX_RETRY))
    }
}

/// Hears the upstream on the stream of its era; returns when the connection is lost.
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

/// The standalone GET stream, opened again whenever it ends.
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
            // The request may have gone out on what died in sleep.
            _ = resumed.changed() => continue,
        };
        connection.mark_event_stream_ready();
        let cause = match opened {
            Err(gone @ TransportError::SessionExpired) if state.was_open => return gone,
            // Whoever comes next would find the same.
            Err(gone @ TransportError::Connect(_)) => return gone,
            Ok(None) if state.last_event_id.take().is_some() => {
                debug!("it does not know where its stream stopped; beginning anew");
                state.may_have_missed = true;
                continue;
            }
            // A 404 to the first is a server that has no route for it.
            Ok(None) | Err(TransportError::SessionExpired) if !state.was_open => {
                return std::future::pending().await;
            }
            Ok(None) => {
                debug!("it has no standalone stream any more");
                context.handle.commands.send(Command::CheckRevision);
                // It may be like that for long.
                context.handle.commands.send(Command::RefreshTools);
                TransportError::StreamEnded
            }
            Err(error) => {
                debug!(%error, "the standalone stream is down");
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

/// Hears a standalone stream to its end; `true` when that is for the process having resumed up.
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
    // What is said meanwhile is lost if the stream cannot be resumed.
    state.may_have_missed = state.last_event_id.is_none();
    if opened_at.elapsed() >= STABLE_AFTER {
        state.backoff = Backoff::default();
    }
    has_resumed
}
