//! What an upstream says outside any request, on the stream that its era has for it.

mod modern;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::debug;

use super::{Backoff, Connection};
use crate::upstream::error::TransportError;
use crate::upstream::items::Kind as Changed;
use crate::upstream::live::Live;
use crate::upstream::transport::events::Incoming;
use crate::upstream::transport::http_sse::HttpSseStream;
use crate::upstream::transport::streamable_http_legacy::StreamableHttpLegacy;
use crate::upstream::transport::{Transport, answer_to};
use crate::wire::{Kind, Message};

/// How long a stream must have lasted to count as one that held, so that it is opened again at once:
/// what is in between may cut streams that are silent, as often as every minute.
const HELD: Duration = Duration::from_secs(10);

impl Connection {
    /// Hears the upstream on the stream of its era; returns when the connection is lost.
    pub(super) async fn listen(
        &self,
        live: &Arc<Live>,
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
        live: &Arc<Live>,
        session: &StreamableHttpLegacy,
    ) -> TransportError {
        let (mut last, mut retry, mut opened) = (None::<String>, None, false);
        let (mut missed, mut backoff) = (false, Backoff::default());
        let mut woken = self.shared.clients.woken();
        loop {
            let heard = tokio::select! {
                heard = session.listen(last.as_deref()) => heard,
                // The request may have gone out on what died in sleep.
                _ = woken.changed() => continue,
            };
            live.listened();
            match heard {
                Err(error @ TransportError::SessionExpired) if opened => return error,
                Ok(None) if last.take().is_some() => {
                    debug!("it does not know where its stream stopped; beginning anew");
                    missed = true;
                    continue;
                }
                // Whoever comes next would find the same.
                Err(error @ TransportError::Connect(_)) => return error,
                // A 404 to the first is a server that has no route for it.
                Ok(None) | Err(TransportError::SessionExpired) => {
                    if missed {
                        self.shared.relist.notify_one();
                    }
                    return std::future::pending().await;
                }
                Err(error) => debug!(%error, "the standalone stream is down"),
                Ok(Some(mut events)) => {
                    opened = true;
                    let begun = Instant::now();
                    if std::mem::take(&mut missed) {
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
                        backoff = Backoff::default();
                    };
                    last = events.last_event_id.take().or(last);
                    retry = events.retry.or(retry);
                    // What is said meanwhile is lost if the stream cannot be resumed.
                    missed = last.is_none();
                    if begun.elapsed() >= HELD {
                        backoff = Backoff::default();
                    }
                    if has_woken {
                        continue;
                    }
                }
            }
            let delay = backoff.next(&TransportError::StreamEnded);
            sleep(retry.filter(|_| backoff.failures == 1).unwrap_or(delay)).await;
        }
    }

    pub(super) async fn hear(&self, live: &Arc<Live>, message: Message) {
        match (message.kind(), &*message.method()) {
            (Kind::Request, method) if method != "ping" => {
                self.events.request(live.clone(), message.clone()).await;
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
                self.upstream().forget(changed.unwrap_or_default());
                self.events
                    .notification(self.shared.id, live.clone(), message.clone())
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
