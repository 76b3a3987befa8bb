//! What an upstream says outside any request, on the stream that its era has for it.

pub(crate) mod modern;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::backoff::Backoff;
use super::supervisor::SessionSupervisor;
use crate::protocol::ItemKind as Changed;
use crate::protocol::reply::answer_to;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::transport::Transport;
use crate::upstream::transport::event_stream::{EventStream, Incoming};
use crate::upstream::transport::http_sse::stream::HttpSseStream;
use crate::upstream::transport::streamable_http_legacy::StreamableHttpLegacy;
use crate::wire::{Kind, Message};

/// How long a stream must have lasted to count as one that held, so that it is opened again at once:
/// what is in between may cut streams that are silent, as often as every minute.
const LASTED: Duration = Duration::from_secs(10);

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

impl SessionSupervisor {
    /// Hears the upstream on the stream of its era; returns when the connection is lost.
    pub(crate) async fn listen(
        &self,
        live: &Arc<Connection>,
        stream: Option<HttpSseStream>,
    ) -> TransportError {
        match (&live.transport, stream) {
            (Transport::HttpSse(_), Some(mut stream)) => loop {
                match stream.next().await {
                    Ok(Some(message)) => self.hear(live, message).await,
                    Ok(None) => return TransportError::StreamEnded,
                    Err(error) => return error,
                }
            },
            (Transport::StreamableHttpLegacy(session), _) => {
                self.listen_legacy(live, session).await
            }
            _ => self.listen_modern(live).await,
        }
    }

    /// The standalone GET stream, opened again whenever it ends.
    async fn listen_legacy(
        &self,
        live: &Arc<Connection>,
        session: &StreamableHttpLegacy,
    ) -> TransportError {
        let (mut place, mut woken) = (Place::default(), self.shared.clients.resumed());
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
                    self.shared.checks.doubt();
                    // It may be like that for long.
                    self.shared.relist.notify_one();
                    TransportError::StreamEnded
                }
                Err(error) => {
                    debug!(%error, "the standalone stream is down");
                    self.doubt(&error);
                    error
                }
                Ok(Some(events)) => {
                    if self.follow(live, events, &mut place, &mut woken).await {
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
        &self,
        live: &Arc<Connection>,
        mut events: EventStream,
        place: &mut Place,
        woken: &mut watch::Receiver<u64>,
    ) -> bool {
        place.is_known = true;
        let begun = Instant::now();
        if std::mem::take(&mut place.missed) {
            self.shared.relist.notify_one();
        }
        let has_woken = loop {
            let next = tokio::select! {
                next = events.next() => next,
                _ = woken.changed() => break true,
            };
            match next {
                Ok(Some(Incoming::Message(message))) => self.hear(live, message).await,
                Ok(Some(Incoming::Endpoint(_))) => {}
                Ok(None) | Err(_) => break false,
            }
            place.backoff = Backoff::default();
        };
        place.last = events.last_event_id.take().or(place.last.take());
        place.retry = events.retry.or(place.retry);
        // What is said meanwhile is lost if the stream cannot be resumed.
        place.missed = place.last.is_none();
        if begun.elapsed() >= LASTED {
            place.backoff = Backoff::default();
        }
        has_woken
    }

    pub(crate) async fn hear(&self, live: &Arc<Connection>, message: Message) {
        match (message.kind(), &*message.method()) {
            (Kind::Request, method) if method != "ping" => {
                self.events.request(live.in_use(), message.clone()).await;
            }
            (Kind::Request, _) => {
                if let Err(error) = live.notify(answer_to(&message)).await {
                    debug!(%error, "could not answer the upstream");
                }
            }
            (Kind::Notification, "notifications/tools/list_changed") => {
                self.shared.relist.notify_one();
            }
            (Kind::Notification, "notifications/subscriptions/acknowledged") => {}
            (Kind::Notification, method) if self.shared.is_side && is_for_all(method) => {
                debug!(method, "heard in the main session");
            }
            (Kind::Notification, method) => {
                let changed = Changed::changed_by(method);
                self.shared.offers.forget(changed.unwrap_or_default());
                self.events
                    .notification(self.shared.id, live.in_use(), message.clone())
                    .await;
            }
            (Kind::Response, _) => debug!("ignoring a response that nobody waits for"),
        }
    }
}

/// Whether a server may tell each session of its client this: the main session has the lists and the
/// subscriptions.
fn is_for_all(method: &str) -> bool {
    let changed = ["prompts/list_changed", "resources/list_changed"];
    let told = method.strip_prefix("notifications/");
    told.is_some_and(|told| changed.contains(&told) || told == "resources/updated")
}
