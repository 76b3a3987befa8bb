//! What the handle of an upstream, its connection's task and its calls share: where the connection
//! stands, what is known, and by what they ask each other for something.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::health::HealthChecks;
use super::pool::{ExtraSession, TaskContext};
use super::retry_budget::RetryBudget;
use crate::config;
use crate::net::Clients;
use crate::oauth::Authorizer;
use crate::protocol::ClientProfile;
use crate::upstream::connection::Connection;
use crate::upstream::connection::log_demand::LogDemand;
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::ReadGate;
use crate::upstream::flow::bounds::Bounds;
use crate::upstream::flow::concurrency::ConcurrencyLimit;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::id::UpstreamId;
use crate::upstream::offers::Offers;
use crate::upstream::subscription::ledger::Subscriptions;
use crate::upstream::transport::http::HttpSettings;

/// Where a connection stands.
#[derive(Debug)]
pub(crate) enum State {
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
    Ready(Arc<Connection>),
    /// The last attempt failed; another follows by itself.
    Disconnected(Disconnected),
}

/// An attempt that failed, and when the next one is made.
#[derive(Debug, Clone)]
pub(crate) struct Disconnected {
    /// Why.
    pub(crate) cause: TransportError,
    /// Which attempt it was.
    pub(crate) attempt: u64,
    /// When the next one is made by itself, brake aside.
    pub(crate) due: Instant,
    /// When it is made at the earliest for a call that has waited for one that failed.
    pub(crate) on_demand: Instant,
    /// The same for one that has not: it is made at once, unless the server asked for a pause.
    pub(crate) at_once: Instant,
}

impl Disconnected {
    /// No attempt follows.
    pub(crate) fn for_good() -> Self {
        let now = Instant::now();
        Self {
            cause: TransportError::ShuttingDown,
            attempt: u64::MAX,
            due: now,
            on_demand: now,
            at_once: now,
        }
    }
}

/// A connection that is known to be gone.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) generation: u64,
    pub(crate) cause: TransportError,
}

/// What the handle and the connection's task both hold.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: UpstreamId,
    pub(crate) config: Arc<config::Upstream>,
    pub(crate) clients: Arc<Clients>,
    /// Signs its requests, where the configuration allows it.
    pub(crate) authorizer: Option<Arc<Authorizer>>,
    pub(crate) bounds: Bounds,
    pub(crate) read_gate: Arc<ReadGate>,
    /// How many calls run there, its side sessions included.
    pub(crate) concurrency: Arc<ConcurrencyLimit>,
    pub(crate) state: watch::Sender<State>,
    /// What is known of it, connected or not.
    pub(crate) offers: Arc<Offers>,
    /// Asks the task for a connection soon.
    pub(crate) wake: Notify,
    /// Asks it for one at once.
    pub(crate) hurry: Notify,
    /// Asks the task for a new listing.
    pub(crate) relist: Notify,
    /// Asks it for a connection as if none had ever failed.
    pub(crate) anew: Notify,
    /// How many attempts are left, for all sessions.
    pub(crate) brake: Arc<RetryBudget>,
    /// The connection that was found to be gone last.
    pub(crate) lost: watch::Sender<Lost>,
    /// What the task is asked to look at.
    pub(crate) checks: HealthChecks,
    /// How much it is to log for the client's session: one for it and its side sessions.
    pub(crate) log_demand: Arc<LogDemand>,
    /// Whom its connection speaks for.
    pub(crate) identity: watch::Sender<Arc<ClientProfile>>,
    /// What its tasks are started with, once they are.
    pub(crate) home: OnceLock<TaskContext>,
    /// Sessions for clients that the main one does not serve.
    // std's Mutex: held for a look at a short list, never across an await.
    pub(crate) sides: Mutex<Vec<ExtraSession>>,
    /// Whether it is one of these itself.
    pub(crate) is_side: bool,
    /// The resources whose updates are wanted.
    pub(crate) subscriptions: Arc<Subscriptions>,
}

impl Shared {
    pub(crate) fn new(
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
            read_gate: Arc::new(ReadGate::new(bounds.send_budget.clone())),
            concurrency: Arc::new(ConcurrencyLimit::new(running, bounds.limits.queued_calls)),
            clients,
            authorizer,
            bounds,
            state: watch::Sender::new(State::Idle),
            offers: Arc::new(Offers::new(changed)),
            wake: Notify::new(),
            hurry: Notify::new(),
            relist: Notify::new(),
            anew: Notify::new(),
            brake: Arc::default(),
            lost: watch::Sender::new(Lost {
                generation: 0,
                cause: TransportError::SessionExpired,
            }),
            checks: HealthChecks::default(),
            log_demand: Arc::default(),
            identity: watch::Sender::default(),
            home: OnceLock::new(),
            sides: Mutex::default(),
            is_side: false,
            subscriptions: Arc::default(),
            config,
        }
    }

    /// HTTP towards it, as it is configured.
    pub(crate) fn http_settings(&self) -> HttpSettings {
        let config = &self.config;
        HttpSettings {
            url: config.url.as_url().clone(),
            headers: config.headers.clone(),
            message_limit: self.bounds.limits.message_bytes,
            read_gate: self.read_gate.clone(),
            keep_alive: config.keep_alive,
            deadlines: Deadlines {
                first_byte: config.first_byte_timeout,
                idle: config.timeout,
            },
        }
    }

    /// How long a call waits for a connection.
    pub(crate) fn connect_wait(&self) -> Duration {
        self.bounds.limits.connect_wait.min(self.config.timeout)
    }

    /// Counts this connection as lost; the first to say so says why.
    pub(crate) fn lose(&self, generation: u64, cause: &TransportError) {
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
