//! The handle that the rest of the program has of an upstream.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

use super::admission::Admission;
use super::backlog::{Backlog, Intake};
use super::connection::{Brake, Checks, Connection};
use super::error::{TransportError, UpstreamError};
use super::events::Events;
use super::identity::Identity;
use super::listing::Listing;
use super::live::Live;
use super::logs::SessionLevel;
use super::remembered::Memory;
use super::roster::UpstreamId;
use super::sessions::{Home, SideSession};
use super::wanted::Wanted;
use crate::config::{self, Limits};
use crate::net::Clients;
use crate::oauth::Authorizer;

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum State {
    /// Nobody has asked for it yet.
    Idle,
    /// The handshake is under way.
    Connecting {
        /// Whether the server has said anything yet.
        alive: bool,
        /// Why the attempt before failed, if it did.
        after: Option<TransportError>,
    },
    /// Requests can be sent.
    Ready(Arc<Live>),
    /// The last attempt failed; another follows by itself.
    Down(Down),
}

/// An attempt that failed, and when the next one is made.
#[derive(Debug, Clone)]
pub(super) struct Down {
    /// Why.
    pub(super) cause: TransportError,
    /// Which attempt it was.
    pub(super) attempt: u64,
    /// When the next one is made by itself, brake aside.
    pub(super) due: Instant,
    /// When it is made at the earliest for a call that waits.
    pub(super) on_demand: Instant,
}

/// A connection that is known to be gone.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) generation: u64,
    pub(super) cause: TransportError,
}

/// What bounds all upstreams alike. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// As configured.
    pub limits: Arc<Limits>,
    /// What the client has not read.
    pub backlog: Arc<Backlog>,
}

impl Bounds {
    /// Those of these limits, with nothing in the backlog.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            backlog: Arc::new(Backlog::new(limits.answer_memory)),
            limits: Arc::new(limits),
        }
    }
}

/// One upstream. Cheap to clone; all clones mean the same connection.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub(super) shared: Arc<Shared>,
    /// As it is configured now; the connection was made by [`Shared::config`].
    pub(super) config: Arc<config::Upstream>,
}

/// What the handle and the connection's task both hold.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: UpstreamId,
    pub(super) config: Arc<config::Upstream>,
    pub(super) clients: Arc<Clients>,
    /// Signs its requests, where the configuration allows it.
    pub(super) authorizer: Option<Arc<Authorizer>>,
    pub(super) bounds: Bounds,
    pub(super) intake: Arc<Intake>,
    /// How many calls run there, its side sessions included.
    pub(super) admission: Arc<Admission>,
    pub(super) state: watch::Sender<State>,
    pub(super) listing: watch::Sender<Option<Arc<Listing>>>,
    /// What else is known of it, connected or not.
    pub(super) memory: Memory,
    /// How often the listing was read.
    pub(super) listed: watch::Sender<u64>,
    /// Rung at every change of state or listing, for whoever watches all upstreams.
    pub(super) changed: Arc<Notify>,
    /// Asks the task for a connection now.
    pub(super) wake: Notify,
    /// Asks the task for a new listing.
    pub(super) relist: Notify,
    /// Asks it for a connection as if none had ever failed.
    pub(super) anew: Notify,
    /// How many attempts are left, for all sessions.
    pub(super) brake: Arc<Brake>,
    /// The connection that was found to be gone last.
    pub(super) lost: watch::Sender<Lost>,
    /// What the task is asked to look at.
    pub(super) checks: Checks,
    /// How much it is to log for the client's session: one for it and its side sessions.
    pub(super) level: Arc<SessionLevel>,
    /// Whom its connection speaks for.
    pub(super) identity: watch::Sender<Arc<Identity>>,
    /// What its tasks are started with, once they are.
    pub(super) home: OnceLock<Home>,
    /// Sessions for clients that the main one does not serve.
    // std's Mutex: held for a look at a short list, never across an await.
    pub(super) sides: Mutex<Vec<SideSession>>,
    /// Whether it is one of these itself.
    pub(super) is_side: bool,
    /// The resources whose updates are wanted.
    pub(super) wanted: Wanted,
}

impl Shared {
    pub(super) fn new(
        id: UpstreamId,
        config: Arc<config::Upstream>,
        clients: Arc<Clients>,
        authorizer: Option<Arc<Authorizer>>,
        bounds: Bounds,
        changed: Arc<Notify>,
    ) -> Self {
        let running = config.max_calls.unwrap_or(bounds.limits.upstream_calls);
        Self {
            id,
            intake: Arc::new(Intake::new(bounds.backlog.clone())),
            admission: Arc::new(Admission::new(running, bounds.limits.queued_calls)),
            clients,
            authorizer,
            bounds,
            state: watch::Sender::new(State::Idle),
            listing: watch::Sender::new(None),
            memory: Memory::default(),
            listed: watch::Sender::new(0),
            changed,
            wake: Notify::new(),
            relist: Notify::new(),
            anew: Notify::new(),
            brake: Arc::default(),
            lost: watch::Sender::new(Lost {
                generation: 0,
                cause: TransportError::SessionExpired,
            }),
            checks: Checks::default(),
            level: Arc::default(),
            identity: watch::Sender::default(),
            home: OnceLock::new(),
            sides: Mutex::default(),
            is_side: false,
            wanted: Wanted::default(),
            config,
        }
    }

    /// How long a call waits for a connection.
    pub(super) fn connect_wait(&self) -> Duration {
        self.bounds.limits.connect_wait.min(self.config.timeout)
    }

    /// Counts this connection as lost; the first to say so says why.
    pub(super) fn lose(&self, generation: u64, cause: &TransportError) {
        self.lost.send_if_modified(|lost| {
            let is_news = lost.generation < generation;
            if is_news {
                let cause = cause.clone();
                *lost = Lost { generation, cause };
            }
            is_news
        });
    }
}

impl Upstream {
    /// An upstream that is not connected yet. `changed` is rung whenever there is news of it.
    #[must_use]
    pub fn new(
        config: config::Upstream,
        clients: Arc<Clients>,
        authorizer: Option<Arc<Authorizer>>,
        bounds: Bounds,
        changed: Arc<Notify>,
    ) -> Self {
        let (id, config) = (UpstreamId::next(), Arc::new(config));
        let shared = Shared::new(id, config.clone(), clients, authorizer, bounds, changed);
        Self {
            shared: Arc::new(shared),
            config,
        }
    }

    /// Starts the task that keeps it connected until `cancel`, or its own [end](Self::end).
    pub fn start(
        &self,
        identity: &Arc<Identity>,
        events: Arc<dyn Events>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let home = Home {
            events,
            tasks: tasks.clone(),
            cancel: cancel.child_token(),
        };
        let home = self.shared.home.get_or_init(|| home);
        self.begin(home, identity, home.cancel.clone());
    }

    pub(super) fn begin(&self, home: &Home, identity: &Arc<Identity>, cancel: CancellationToken) {
        let side = self.shared.is_side.then_some(true);
        let span = info_span!("upstream", name = %self.shared.config.name, side);
        self.adopt(identity);
        let connection = Connection {
            shared: self.shared.clone(),
            events: home.events.clone(),
            tasks: home.tasks.clone(),
        };
        home.tasks.spawn(connection.run(cancel).instrument(span));
    }

    /// Has it connected for this client, anew if it was for one that declares something else: what a
    /// server lists may depend on that.
    pub fn adopt(&self, identity: &Arc<Identity>) {
        self.shared.identity.send_if_modified(|current| {
            let is_other = !current.shares_session(identity);
            *current = identity.clone();
            is_other
        });
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        self.shared.id
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Whether its connection is what this configuration asks for.
    #[must_use]
    pub fn connects_as(&self, config: &config::Upstream) -> bool {
        self.shared.config.connects_as(config)
    }

    /// The same upstream, by the same connection, under another configuration that it
    /// [connects as](Self::connects_as).
    #[must_use]
    pub fn with_config(&self, config: config::Upstream) -> Self {
        Self {
            shared: self.shared.clone(),
            config: Arc::new(config),
        }
    }

    /// Whether this is the same upstream under the same configuration.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id() == other.id() && Arc::ptr_eq(&self.config, &other.config)
    }

    /// Whether anybody but the caller, who has one handle, may yet send a request by it.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        // The other one is the connection's task's, where there is one.
        let task = usize::from(self.shared.home.get().is_some());
        Arc::strong_count(&self.shared) > 1 + task
    }

    /// Closes its connection, and those beside it, for good.
    pub fn end(&self) {
        if let Some(home) = self.shared.home.get() {
            home.cancel.cancel();
        }
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
            State::Down(down) if down.cause.needs_a_person() => {
                self.shared.wake.notify_one();
                Some(down.cause.to_string())
            }
            _ => None,
        }
    }

    /// Has it tried at once if it is away, with all attempts back: something has changed for the better.
    pub fn try_anew(&self) {
        for session in self.sessions() {
            session.shared.brake.give_back();
            session.shared.anew.notify_one();
        }
    }

    /// What tools it offered last, to this process or an earlier one.
    #[must_use]
    pub fn listing(&self) -> Option<Arc<Listing>> {
        self.shared.listing.borrow().clone()
    }

    /// Whether waiting for its listing has an end: it is there, or the first attempt failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.shared.listing.borrow().is_some() || self.is_heard()
    }

    /// The same where what an earlier process remembers of it counts for nothing.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        *self.shared.listed.borrow() > 0 || matches!(&*self.shared.state.borrow(), State::Down(_))
    }

    /// Whether it has said anything since the last attempt began.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(
            &*self.shared.state.borrow(),
            State::Ready(_) | State::Connecting { alive: true, .. }
        )
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
}
