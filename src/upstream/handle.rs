//! The handle that the rest of the program has of an upstream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span};

use super::connection::{Connection, Events};
use super::error::{TransportError, UpstreamError};
use super::exchange::Exchange;
use super::listing::Listing;
use super::live::{Identity, Live};
use super::request::Request;
use super::wanted::Wanted;
use crate::config;
use crate::net::Clients;
use crate::oauth::{Authorizer, SignInError};

/// How long a call waits for an upstream that is not connected.
const READY_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a call waits for a person who is signing in; the login goes on after that.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How many logins one call waits for: one to be let in, and some for more scopes.
const MAX_LOGINS: u32 = 3;

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum State {
    /// Nobody has asked for it yet.
    Idle,
    /// The handshake is under way.
    Connecting {
        /// Whether the server has said anything yet.
        alive: bool,
    },
    /// Requests can be sent.
    Ready(Arc<Live>),
    /// The last attempt failed; another follows by itself.
    Down {
        /// Why.
        cause: TransportError,
        /// Which attempt it was.
        attempt: u64,
    },
}

/// One upstream. Cheap to clone; all clones mean the same connection.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub(super) shared: Arc<Shared>,
}

/// What the handle and the connection's task both hold.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) index: usize,
    pub(super) config: config::Upstream,
    pub(super) clients: Arc<Clients>,
    /// Signs its requests, where the configuration allows it.
    pub(super) authorizer: Option<Arc<Authorizer>>,
    pub(super) limit: usize,
    pub(super) state: watch::Sender<State>,
    pub(super) listing: watch::Sender<Option<Arc<Listing>>>,
    /// How often the listing was read.
    pub(super) listed: watch::Sender<u64>,
    /// Rung at every change of state or listing, for whoever watches all upstreams.
    pub(super) changed: Arc<Notify>,
    /// Asks the task for a connection now.
    pub(super) wake: Notify,
    /// Asks the task for a new listing.
    pub(super) relist: Notify,
    /// The generation whose session is known to be gone.
    pub(super) expired: watch::Sender<u64>,
    /// The resources whose updates are wanted.
    pub(super) wanted: Wanted,
}

impl Upstream {
    /// An upstream that is not connected yet. `changed` is rung whenever there is news of it.
    #[must_use]
    pub fn new(
        index: usize,
        config: config::Upstream,
        clients: Arc<Clients>,
        authorizer: Option<Arc<Authorizer>>,
        limit: usize,
        changed: Arc<Notify>,
    ) -> Self {
        let shared = Shared {
            index,
            config,
            clients,
            authorizer,
            limit,
            state: watch::Sender::new(State::Idle),
            listing: watch::Sender::new(None),
            listed: watch::Sender::new(0),
            changed,
            wake: Notify::new(),
            relist: Notify::new(),
            expired: watch::Sender::new(0),
            wanted: Wanted::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Starts the task that keeps it connected until `cancel`.
    pub fn start(
        &self,
        identity: Identity,
        events: Arc<dyn Events>,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) {
        let span = info_span!("upstream", name = %self.shared.config.name);
        let connection = Connection {
            shared: self.shared.clone(),
            identity,
            events,
        };
        tasks.spawn(connection.run(cancel).instrument(span));
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &config::Upstream {
        &self.shared.config
    }

    /// The connection, if there is one.
    #[must_use]
    pub fn ready(&self) -> Option<Arc<Live>> {
        match &*self.shared.state.borrow() {
            State::Ready(live) => Some(live.clone()),
            _ => None,
        }
    }

    /// What a person has to do before it can be used, if it waits for that. It is tried again then, so
    /// that a person who asks for it is sent to a page that leads somewhere.
    #[must_use]
    pub fn waits_for_a_person(&self) -> Option<String> {
        match &*self.shared.state.borrow() {
            State::Down { cause, .. } if cause.needs_a_person() => {
                self.shared.wake.notify_one();
                Some(cause.to_string())
            }
            _ => None,
        }
    }

    /// What it offered last, also while it is away.
    #[must_use]
    pub fn listing(&self) -> Option<Arc<Listing>> {
        self.shared.listing.borrow().clone()
    }

    /// Whether waiting for its listing has an end: it is there, or the first attempt failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(&*self.shared.state.borrow(), State::Down { .. })
            || self.shared.listing.borrow().is_some()
    }

    /// Whether it has said anything since the last attempt began.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(
            &*self.shared.state.borrow(),
            State::Ready(_) | State::Connecting { alive: true }
        )
    }

    /// Sends the request that `build` makes for the connection as it is. A session that turns out
    /// to be gone is renewed, a login that a person is at is waited for, and the request, which
    /// the upstream refused, is sent once more.
    ///
    /// # Errors
    /// [`UpstreamError`]; its [`outcome`](TransportError::outcome) says whether the request may have run.
    pub async fn call(
        &self,
        method: &str,
        build: impl Fn(&Live) -> Request,
    ) -> Result<Call, UpstreamError> {
        let (mut gone, mut logins) = (0, 0);
        loop {
            let (cause, generation) = match self.live_after(gone).await {
                Err(cause) => (cause, None),
                Ok(live) => match live.transport.send(&build(&live)).await {
                    Ok(exchange) => return Ok(Call { exchange, live }),
                    Err(cause) => (cause, Some(live.generation)),
                },
            };
            match (&cause, generation) {
                (TransportError::SessionExpired, Some(generation)) if gone == 0 => {
                    debug!("the session is gone; asking for a new one");
                    gone = generation;
                    self.shared.expired.send_replace(gone);
                }
                (TransportError::SignIn(error), _)
                    if error.is_under_way() && logins < MAX_LOGINS =>
                {
                    match self.login_over().await {
                        Some(Ok(())) => logins += 1,
                        Some(Err(error)) => {
                            return Err(self.error(method, TransportError::SignIn(error)));
                        }
                        None => return Err(self.error(method, cause)),
                    }
                }
                _ => return Err(self.error(method, cause)),
            }
        }
    }

    /// Waits a while for the person who is about to sign in, and says what came of it, if anything did.
    async fn login_over(&self) -> Option<Result<(), SignInError>> {
        let authorizer = self.shared.authorizer.as_ref()?;
        timeout(LOGIN_TIMEOUT, authorizer.login_over()).await.ok()
    }

    /// Sends a notification, if the upstream is connected and its era knows any.
    pub async fn notify(&self, body: Bytes) {
        if let Some(live) = self.ready()
            && let Err(error) = live.notify(body).await
        {
            debug!(%error, "a notification was not delivered");
        }
    }

    /// An error of this upstream.
    #[must_use]
    pub fn error(&self, method: &str, cause: TransportError) -> UpstreamError {
        UpstreamError {
            upstream: self.shared.config.name.clone(),
            method: method.to_owned(),
            cause,
        }
    }

    /// The first connection after the one of this generation; waits while one is being made, and has
    /// one made if it is down.
    pub(super) async fn live_after(&self, generation: u64) -> Result<Arc<Live>, TransportError> {
        if let Some(live) = self.ready().filter(|live| live.generation > generation) {
            return Ok(live);
        }
        let mut state = self.shared.state.subscribe();
        let seen = match &*state.borrow() {
            State::Ready(live) if live.generation > generation => return Ok(live.clone()),
            State::Down { attempt, .. } => *attempt,
            _ => 0,
        };
        if seen > 0 {
            self.shared.wake.notify_one();
        }
        let ready = state.wait_for(|state| match state {
            State::Ready(live) => live.generation > generation,
            State::Down { attempt, .. } => *attempt > seen,
            State::Idle | State::Connecting { .. } => false,
        });
        match timeout(READY_TIMEOUT, ready).await {
            Err(_) => Err(TransportError::NotReady(READY_TIMEOUT)),
            Ok(Err(_)) => Err(TransportError::ShuttingDown),
            Ok(Ok(state)) => match &*state {
                State::Ready(live) => Ok(live.clone()),
                State::Down { cause, .. } => Err(cause.clone()),
                State::Idle | State::Connecting { .. } => Err(TransportError::ShuttingDown),
            },
        }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct Call {
    /// What comes back.
    pub exchange: Exchange,
    /// The connection that it went out on.
    pub live: Arc<Live>,
}
