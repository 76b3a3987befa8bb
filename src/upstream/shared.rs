//! What the handle of an upstream, its connection's task and its calls share: where the connection
//! stands, what is known, and by what they ask each other for something.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::admission::Admission;
use super::backlog::{Backlog, Intake};
use super::connection::{Brake, Checks};
use super::error::TransportError;
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
    /// When it is made at the earliest for a call that has waited for one that failed.
    pub(super) on_demand: Instant,
    /// The same for one that has not: it is made at once, unless the server asked for a pause.
    pub(super) at_once: Instant,
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
    /// Asks the task for a connection soon.
    pub(super) wake: Notify,
    /// Asks it for one at once.
    pub(super) hurry: Notify,
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
            hurry: Notify::new(),
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
