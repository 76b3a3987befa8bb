//! The task that keeps one upstream connected.
//!
//! It makes the connection, keeps the listing fresh (and `compare`s it with what a client has), hears what
//! the upstream says on its own (`listen`), keeps it subscribed to what is wanted (`subscribe`), tells it how
//! much to log (`level`), and begins again when any of these ends. Requests go past it, on [`Live`].

mod compare;
mod level;
mod listen;
mod subscribe;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::error::TransportError;
use super::events::Events;
use super::handle::{Shared, State};
use super::handshake::{Connected, Handshake};
use super::identity::Identity;
use super::listing::Listing;
use super::live::Live;
use super::transport::http::Http;
use super::transport::http_sse::HttpSseStream;
use crate::oauth::{Authorizer, Mark};

/// The pauses between attempts: doubling from the first to the last, each varied by a fifth.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(300);

pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) events: Arc<dyn Events>,
}

impl Connection {
    pub(super) async fn run(self, cancel: CancellationToken) {
        let mut backoff = Backoff::default();
        // Why a person is needed, as it was told last.
        let mut known = None;
        let authorizer = self.shared.authorizer.as_ref();
        for attempt in 1.. {
            let mark = authorizer.map(|authorizer| authorizer.mark());
            let identity = self.shared.identity.borrow().clone();
            self.publish(State::Connecting { alive: false });
            let made = tokio::select! {
                () = cancel.cancelled() => break,
                made = self.connect(&identity, attempt) => made,
            };
            // One that fails at its listing was never up, and is not tried without a pause.
            let listed = *self.shared.listed.borrow();
            let (cause, was_up) = match made {
                Ok((live, stream)) => match self.keep(live, stream, &cancel).await {
                    Some(cause) => (cause, *self.shared.listed.borrow() > listed),
                    None => break,
                },
                Err(cause) => (cause, false),
            };
            if self.is_superseded(&identity) && matches!(cause, TransportError::SessionExpired) {
                debug!("opening a session for what the client declares now");
                continue;
            }
            if was_up {
                backoff = Backoff::default();
                if matches!(cause, TransportError::SessionExpired) {
                    info!("session expired; opening a new one");
                    continue;
                }
            }
            let delay = backoff.next(&cause);
            // Where a person has to go was told by the login.
            let told = matches!(&cause, TransportError::SignIn(error) if error.url().is_some());
            let reason = cause.needs_a_person().then(|| cause.to_string());
            let is_news = reason.is_some() && reason != known;
            known = reason;
            match !told && (was_up || is_news || backoff.failures == 1) {
                true => warn!(error = %cause, retry_in = ?delay, "not connected"),
                false => debug!(error = %cause, retry_in = ?delay, "still not connected"),
            }
            if told {
                // What goes wrong once somebody has signed in is news.
                backoff = Backoff::default();
            }
            self.publish(State::Down { cause, attempt });
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.shared.wake.notified() => {}
                () = changed(authorizer, mark) => {}
                () = sleep(delay) => {}
            }
        }
        // Nobody is to wait for another connection. Who watches all upstreams ends by itself.
        self.shared.state.send_replace(State::Down {
            cause: TransportError::ShuttingDown,
            attempt: u64::MAX,
        });
    }

    fn publish(&self, state: State) {
        self.shared.state.send_replace(state);
        self.shared.changed.notify_one();
    }

    /// Whether the client has declared something else since it was this one.
    fn is_superseded(&self, identity: &Identity) -> bool {
        !identity.shares_session(&self.shared.identity.borrow())
    }

    /// Waits until the client declares something else, and closes the session that was for the other.
    async fn superseded(&self, live: &Live) {
        let mut identity = self.shared.identity.subscribe();
        let is_other = |identity: &Arc<Identity>| !live.identity.shares_session(identity);
        // Fails never: the sender lives as long as we do.
        let waited = identity.wait_for(is_other).await.map(drop);
        if waited.is_ok() {
            live.transport.close().await;
        }
    }

    async fn connect(
        &self,
        identity: &Arc<Identity>,
        generation: u64,
    ) -> Result<Connected, TransportError> {
        let config = &self.shared.config;
        let client = self.shared.clients.current(config.url.as_url());
        let alive = || self.publish(State::Connecting { alive: true });
        let handshake = Handshake {
            choice: config.transport,
            identity,
            generation,
            alive: &alive,
        };
        handshake
            .connect(|| Http::new(client.clone(), &self.shared))
            .await
    }

    /// Keeps a connection until it is lost, and says why; `None` when it was cancelled.
    async fn keep(
        &self,
        live: Live,
        stream: Option<HttpSseStream>,
        cancel: &CancellationToken,
    ) -> Option<TransportError> {
        let live = Arc::new(live);
        self.shared.wanted.begin(live.generation);
        self.shared.memory.met(&live);
        self.publish(State::Ready(live.clone()));
        let mut expired = self.shared.expired.subscribe();
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            cause = self.keep_level(&live) => Some(cause),
            Err(cause) = self.keep_listed(&live) => Some(cause),
            cause = self.listen(&live, stream) => Some(cause),
            cause = self.keep_subscribed(&live) => Some(cause),
            cause = self.compare(&live) => Some(cause),
            _ = expired.wait_for(|generation| *generation == live.generation) => {
                Some(TransportError::SessionExpired)
            }
            () = self.superseded(&live) => Some(TransportError::SessionExpired),
        };
        self.shared.wanted.begin(0);
        self.events.ended(&live);
        if !matches!(ended, Some(TransportError::SessionExpired)) {
            live.transport.close().await;
        }
        ended
    }

    /// Reads the listing now and whenever it is asked for. A side session needs none.
    async fn keep_listed(&self, live: &Live) -> Result<Infallible, TransportError> {
        if self.shared.is_side {
            debug!(version = live.version, "connected");
            self.shared.listed.send_modify(|times| *times += 1);
            return std::future::pending().await;
        }
        let listing = Listing::fetch(live).await?;
        info!(
            era = live.era.as_str(),
            version = live.version,
            tools = listing.tools.len(),
            "connected"
        );
        self.publish_listing(listing);
        let mut backoff = Backoff::default();
        loop {
            if backoff.failures == 0 {
                self.shared.relist.notified().await;
            }
            match Listing::fetch(live).await {
                Ok(listing) => {
                    debug!(tools = listing.tools.len(), "listed again");
                    self.publish_listing(listing);
                    backoff = Backoff::default();
                }
                Err(error @ TransportError::SessionExpired) => return Err(error),
                Err(error) => {
                    let delay = backoff.next(&error);
                    match backoff.failures {
                        1 => warn!(%error, retry_in = ?delay, "listing failed; the last one stays"),
                        _ => debug!(%error, retry_in = ?delay, "listing failed again"),
                    }
                    tokio::select! {
                        () = self.shared.relist.notified() => {}
                        () = sleep(delay) => {}
                    }
                }
            }
        }
    }

    fn publish_listing(&self, listing: Listing) {
        self.shared.listing.send_if_modified(|current| {
            let same = current.as_deref() == Some(&listing);
            if !same {
                *current = Some(Arc::new(listing));
            }
            !same
        });
        self.shared.memory.listed();
        self.shared.listed.send_modify(|times| *times += 1);
        self.shared.changed.notify_one();
    }
}

/// Waits until there are other tokens than at `mark`, if there ever will be.
async fn changed(authorizer: Option<&Arc<Authorizer>>, mark: Option<Mark>) {
    match (authorizer, mark) {
        (Some(authorizer), Some(mark)) => authorizer.tokens_changed(&mark).await,
        _ => std::future::pending().await,
    }
}

/// How long to wait before the next attempt.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    fn next(&mut self, cause: &TransportError) -> Duration {
        let doubled = FIRST_DELAY.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        let delay = if cause.needs_a_person() {
            LAST_DELAY
        } else {
            doubled.min(LAST_DELAY)
        };
        let varied = delay.mul_f64(0.8 + 0.4 * fastrand::f64());
        // Whole milliseconds, as they are logged.
        Duration::from_millis(varied.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_minutes_and_are_varied() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12)
            .map(|_| backoff.next(&TransportError::StreamEnded))
            .collect();
        assert!(pauses[0] <= Duration::from_millis(1200), "{pauses:?}");
        assert!(pauses[11] >= Duration::from_secs(240), "{pauses:?}");
        assert!(
            pauses
                .iter()
                .all(|pause| *pause <= Duration::from_secs(360)),
            "{pauses:?}"
        );
        let parked = Backoff::default().next(&TransportError::LoginRequired);
        assert!(parked >= Duration::from_secs(240), "{parked:?}");
    }
}
