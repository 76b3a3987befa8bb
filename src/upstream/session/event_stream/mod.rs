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
use receive::{STABLE_AFTER, receive};

/// The longest time for which a server's `retry` keeps its stream from being opened again.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Where the standalone stream stands.
#[derive(Default)]
struct Place {
    /// Whether it was open in this session, so that there is one.
    is_known: bool,
    /// The last event on it, where it can be resumed.
    last: Option<String>,
    /// When the server wants it to be opened again.
    retry: Option<Duration>,
    /// Whether something may have been said that nobody heard.
    missed: bool,
    backoff: Backoff,
}

impl Place {
    /// How long to wait before it is opened again. What only a person can mend is no reason to wait
    /// longer: whoever mends it may do so by the next call.
    fn pause(&mut self, cause: &TransportError) -> Duration {
        if cause.retry_after().is_some() {
            return self.backoff.next(cause);
        }
        let delay = self.backoff.next(&TransportError::StreamEnded);
        let retry = self.retry.filter(|_| self.backoff.failures == 1);
        retry.map_or(delay, |retry| retry.min(LONGEST_RETRY))
    }
}

/// Hears the upstream on the stream of its era; returns when the connection is lost.
pub(crate) async fn run(
    context: &SessionContext,
    live: &Arc<Connection>,
    stream: Option<HttpSseStream>,
) -> TransportError {
    match (&live.transport, stream) {
        (Transport::HttpSse(_), Some(mut stream)) => loop {
            match stream.next().await {
                Ok(Some(message)) => receive(context, live, message).await,
                Ok(None) => return TransportError::StreamEnded,
                Err(error) => return error,
            }
        },
        (Transport::StreamableHttpLegacy(session), _) => {
            listen_legacy(context, live, session).await
        }
        _ => modern::run(context, live).await,
    }
}

/// The standalone GET stream, opened again whenever it ends.
async fn listen_legacy(
    context: &SessionContext,
    live: &Arc<Connection>,
    session: &StreamableHttpLegacy,
) -> TransportError {
    let (mut place, mut woken) = (Place::default(), context.settings.clients.resumed());
    loop {
        let heard = tokio::select! {
            heard = session.listen(place.last.as_deref()) => heard,
            // The request may have gone out on what died in sleep.
            _ = woken.changed() => continue,
        };
        live.mark_event_stream_ready();
        let cause = match heard {
            Err(gone @ TransportError::SessionExpired) if place.is_known => return gone,
            // Whoever comes next would find the same.
            Err(gone @ TransportError::Connect(_)) => return gone,
            Ok(None) if place.last.take().is_some() => {
                debug!("it does not know where its stream stopped; beginning anew");
                place.missed = true;
                continue;
            }
            // A 404 to the first is a server that has no route for it.
            Ok(None) | Err(TransportError::SessionExpired) if !place.is_known => {
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
                context.doubt(&error);
                error
            }
            Ok(Some(events)) => {
                if follow(context, live, events, &mut place, &mut woken).await {
                    continue;
                }
                TransportError::StreamEnded
            }
        };
        sleep(place.pause(&cause)).await;
    }
}

/// Hears a standalone stream to its end; `true` when that is for the process having woken up.
async fn follow(
    context: &SessionContext,
    live: &Arc<Connection>,
    mut events: EventStream,
    place: &mut Place,
    woken: &mut watch::Receiver<u64>,
) -> bool {
    place.is_known = true;
    let begun = Instant::now();
    if std::mem::take(&mut place.missed) {
        context.handle.commands.send(Command::RefreshTools);
    }
    let has_woken = loop {
        let next = tokio::select! {
            next = events.next() => next,
            _ = woken.changed() => break true,
        };
        match next {
            Ok(Some(Incoming::Message(message))) => receive(context, live, message).await,
            Ok(Some(Incoming::Endpoint(_))) => {}
            Ok(None) | Err(_) => break false,
        }
        place.backoff = Backoff::default();
    };
    place.last = events.last_event_id.take().or(place.last.take());
    place.retry = events.retry.or(place.retry);
    // What is said meanwhile is lost if the stream cannot be resumed.
    place.missed = place.last.is_none();
    if begun.elapsed() >= STABLE_AFTER {
        place.backoff = Backoff::default();
    }
    has_woken
}
