//! The task that keeps one upstream connected.
//!
//! It makes the connection, keeps it (`keep`), hears what the upstream says on its own (`listen`), keeps it
//! subscribed to what is wanted (`subscribe`), tells it how much to log (`level`), looks after it when
//! there is doubt (`check`), `compare`s what it lists with what a client has, and begins again when any of these ends: after a pause (`backoff`), as
//! long as attempts are left (`brake`). Requests go past it: each is an HTTP exchange of its own on
//! the [`Connection`] that the task published.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::backoff::{Backoff, Delays};
use super::connected::Disconnect;
use super::handle::{Disconnected, Shared, State};
use crate::protocol::ClientProfile;
use crate::upstream::connection::Connection;
use crate::upstream::connection::events::Events;
use crate::upstream::error::TransportError;
use crate::upstream::handshake::{Connected, Handshake};
use crate::upstream::transport::http::Http;

pub(crate) struct SessionSupervisor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) events: Arc<dyn Events>,
    /// Where it puts what need not be waited for.
    pub(crate) tasks: TaskTracker,
}

/// What the task remembers from one attempt to the next.
#[derive(Default)]
pub(crate) struct ReconnectState {
    pub(crate) backoff: Backoff,
    /// Whether it was told that there is no connection.
    is_told: bool,
    /// Why a person is needed, as it was told last.
    known: Option<String>,
    /// Why there is no connection now.
    cause: Option<TransportError>,
    /// The connection that was lost, which may have a session still.
    old: Option<Arc<Connection>>,
}

impl SessionSupervisor {
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let (mut course, brake) = (ReconnectState::default(), &self.shared.brake);
        let mut woken = self.shared.clients.resumed();
        // The first attempt is there for every session.
        brake.take();
        for attempt in 1.. {
            let mark = self.shared.authorizer.as_ref().map(|it| it.token_version());
            let identity = self.shared.identity.borrow().clone();
            self.publish(State::Connecting {
                alive: false,
                after: course.cause.clone(),
            });
            self.let_go_of_old(&mut course, &cancel);
            woken.mark_unchanged();
            let made = tokio::select! {
                () = cancel.cancelled() => break,
                // What it has sent so far may never be answered.
                _ = woken.changed() => {
                    course.backoff = Backoff::default();
                    brake.give_back();
                    continue;
                }
                made = self.connect(&identity, attempt, course.cause.as_ref()) => made,
            };
            let ended = match made {
                Ok((live, stream)) => {
                    self.let_go(course.old.take(), &cancel);
                    let live = Arc::new(live);
                    let Some(ended) = self.keep(&live, stream, &cancel).await else {
                        break;
                    };
                    course.old = (!ended.is_expired()).then_some(live);
                    ended
                }
                Err(cause) => Disconnect::never_up(cause),
            };
            if ended.is_expired() && self.is_superseded(&identity) {
                debug!("opening a session for what the client declares now");
                brake.give_one_back();
                if brake.take() {
                    continue;
                }
            }
            let Some(down) = self.take_stock(&mut course, ended, attempt) else {
                continue;
            };
            if !self.pause(&down, mark, &mut course, &cancel).await {
                break;
            }
        }
        self.let_go(course.old.take(), &cancel);
        // Nobody is to wait for another connection. Who watches all upstreams ends by itself.
        self.publish_end();
    }

    fn publish_end(&self) {
        let last = Disconnected::for_good();
        self.shared.state.send_replace(State::Disconnected(last));
    }

    /// Decides what follows: another attempt at once, which is `None`, or a pause.
    fn take_stock(
        &self,
        course: &mut ReconnectState,
        ended: Disconnect,
        attempt: u64,
    ) -> Option<Disconnected> {
        let Disconnect {
            cause,
            was_up,
            has_held,
        } = ended;
        course.cause = Some(cause.clone());
        if has_held {
            course.backoff = Backoff::default();
            self.shared.brake.give_back();
        }
        if was_up {
            // What did not last has not failed: the pauses are enough of a brake.
            self.shared.brake.give_one_back();
        }
        course.is_told &= !was_up;
        let is_first = was_up && course.backoff.failures == 0;
        // Somebody has just found out, and it may be back already.
        let is_found = matches!(
            cause,
            TransportError::SessionExpired | TransportError::Connect(_)
        );
        let mut next = course.backoff;
        let Delays {
            whole,
            short,
            least,
        } = next.pause(&cause);
        if !(has_held && is_found) {
            course.backoff = next;
        }
        if is_first && is_found && self.shared.brake.take() {
            match cause {
                TransportError::SessionExpired => info!("session expired; opening a new one"),
                _ => info!(error = %cause, "connection lost; connecting again"),
            }
            return None;
        }
        let now = Instant::now();
        let down = Disconnected {
            cause,
            attempt,
            due: now + whole,
            on_demand: if is_first { now } else { now + short },
            at_once: if is_first { now } else { now + least },
        };
        self.report(course, &down, whole);
        Some(down)
    }

    /// Tells a person, once.
    fn report(&self, course: &mut ReconnectState, down: &Disconnected, whole: Duration) {
        let cause = &down.cause;
        // Where a person has to go was told by the login.
        let told = matches!(cause, TransportError::SignIn(error) if error.url().is_some());
        let reason = cause.requires_user_action().then(|| cause.to_string());
        let is_news = reason.is_some() && reason != course.known;
        course.known = reason;
        let delay = whole.max(self.shared.brake.due() - Instant::now());
        match !told && (is_news || !std::mem::replace(&mut course.is_told, true)) {
            true => warn!(error = %cause, retry_in = ?delay, "not connected"),
            false => debug!(error = %cause, retry_in = ?delay, "still not connected"),
        }
        if told {
            // What goes wrong once somebody has signed in is news.
            (course.backoff, course.is_told) = (Backoff::default(), false);
        }
    }

    /// Ends the session of the connection before, if its server can be reached to hear of it.
    pub(crate) fn let_go_of_old(&self, course: &mut ReconnectState, cancel: &CancellationToken) {
        if !matches!(course.cause, Some(TransportError::Connect(_))) {
            self.let_go(course.old.take(), cancel);
        }
    }

    pub(crate) fn publish(&self, state: State) {
        self.shared.state.send_replace(state);
        self.shared.offers.notify_changed();
    }

    /// Whether the client has declared something else since it was this one.
    fn is_superseded(&self, identity: &ClientProfile) -> bool {
        !identity.shares_session(&self.shared.identity.borrow())
    }

    async fn connect(
        &self,
        identity: &Arc<ClientProfile>,
        generation: u64,
        after: Option<&TransportError>,
    ) -> Result<Connected, TransportError> {
        let alive = || {
            self.publish(State::Connecting {
                alive: true,
                after: after.cloned(),
            });
        };
        let woken = self.shared.clients.resume_count();
        let handshake = self.handshake(identity, generation, &alive);
        // Boxed: it is large, and over once there is a connection.
        let connected = Box::pin(handshake.connect(self.http())).await?;
        connected.0.mark_verified(woken);
        Ok(connected)
    }

    /// Whether the server that answers now is a modern one.
    pub(crate) async fn is_modern(&self, live: &Connection) -> Result<bool, TransportError> {
        let handshake = self.handshake(&live.identity, live.generation, &|| {});
        handshake.is_modern(self.http()()).await
    }

    fn handshake<'a>(
        &self,
        identity: &'a Arc<ClientProfile>,
        generation: u64,
        alive: &'a (dyn Fn() + Sync),
    ) -> Handshake<'a> {
        Handshake {
            choice: self.shared.config.transport,
            identity,
            generation,
            alive,
        }
    }

    /// What makes requests to the upstream as it is configured.
    fn http(&self) -> impl Fn() -> Http + use<> {
        let url = self.shared.config.url.as_url();
        let client = self.shared.clients.current(url);
        let authorizer = self.shared.authorizer.clone();
        let settings = self.shared.http_settings();
        move || Http::new(client.clone(), authorizer.clone(), settings.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn what_each_upstream_holds_for_ever_is_small() {
        // It was 64 KiB, by what is needed for moments.
        let size = size_of(SessionSupervisor::run);
        assert!(size <= 12 << 10, "{size}");
    }
}
