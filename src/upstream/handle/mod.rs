//! The handle that the rest of the program has of an upstream.

pub(crate) mod outcome;
pub(crate) mod tasks;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cache::upstream::CachedUpstream;
use super::connection::ConnectionUse;
use super::connection::events::Events;
use super::connection::log_demand::LogDemandGuard;
use super::error::TransportError;
use super::error::reported::UpstreamError;
use super::flow::bounds::Bounds;
use super::id::{ClientId, UpstreamId};
use super::offers::Offers;
use super::offers::tools::ToolList;
use super::session::handle::{Shared, State};
use super::session::pool::TaskContext;
use super::subscription::guard;
use super::subscription::ledger::Epoch;
use crate::config;
use crate::net::Clients;
use crate::oauth::Authorizer;

use crate::protocol::{ClientProfile, ItemKind, ItemList, LogLevel};

/// How long a call waits for tools that are read again.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps resources of an upstream subscribed, and the upstream in use, until it is dropped.
pub type SubscriptionGuard = guard::SubscriptionGuard<Upstream>;

/// One upstream. Cheap to clone; all clones mean the same connection.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub(crate) shared: Arc<Shared>,
    /// As it is configured now; the connection was made by [`Shared::config`].
    pub(crate) config: Arc<config::Upstream>,
    /// What is stored of it.
    pub(crate) cached: Arc<CachedUpstream>,
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
        let cached = Arc::new(CachedUpstream::new(config.clone(), shared.offers.clone()));
        Self {
            shared: Arc::new(shared),
            config,
            cached,
        }
    }

    /// Starts the task that keeps it connected until `cancel`, or its own [end](Self::end).
    pub fn start(
        &self,
        identity: &Arc<ClientProfile>,
        events: Arc<dyn Events>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let home = TaskContext {
            events,
            tasks: tasks.clone(),
            cancel: cancel.child_token(),
        };
        let home = self.shared.home.get_or_init(|| home);
        self.begin(home, identity, home.cancel.clone());
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
            cached: self.cached.clone(),
        }
    }

    /// Whether this is the same upstream under the same configuration.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id() == other.id() && Arc::ptr_eq(&self.config, &other.config)
    }

    /// The connection, if there is one.
    #[must_use]
    pub fn ready(&self) -> Option<ConnectionUse> {
        match &*self.shared.state.borrow() {
            State::Ready(connection) => Some(connection.in_use()),
            _ => None,
        }
    }

    /// What a person has to do before it can be used, if it waits for that. It is tried again then, so
    /// that a person who asks for it is sent to a page that leads somewhere.
    #[must_use]
    pub fn waits_for_a_person(&self) -> Option<String> {
        match &*self.shared.state.borrow() {
            State::Disconnected(down) if down.cause.requires_user_action() => {
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

    /// The client's session asks for logs from this level on; `None` when it names none.
    pub fn set_level(&self, client: ClientId, level: Option<LogLevel>) {
        self.shared.log_demand.set(client, level);
    }

    /// The client has left: its log level counts no more.
    pub fn remove_client(&self, client: ClientId) {
        self.shared.log_demand.remove(client);
    }

    /// Waits until the servers of all sessions that are connected were sent the clients' level, or a while
    /// has passed.
    pub async fn wait_until_level_applied(&self) {
        let sessions = self.sessions().into_iter();
        let applied = sessions.filter_map(|session| {
            let connection = session.ready()?;
            Some(async move {
                let demand = &session.shared.log_demand;
                demand.wait_until_applied(&connection.logs, None).await;
            })
        });
        join_all(applied).await;
    }

    /// Asks for the logs of a request about to be sent, from `level` on, and waits until the server was
    /// sent that level. A modern server reads the level in the request.
    pub async fn raise_level(
        &self,
        connection: &ConnectionUse,
        level: Option<LogLevel>,
    ) -> Option<LogDemandGuard> {
        self.shared.log_demand.raise(&connection.logs, level).await
    }

    /// Subscribes to updates of these resources for as long as the guard is held.
    #[must_use]
    pub fn subscribe(&self, uris: Vec<Arc<str>>) -> SubscriptionGuard {
        SubscriptionGuard::new(self.clone(), &self.shared.subscriptions, uris)
    }

    /// As [`Self::subscribe`], after a client's own request for it has succeeded, which went out at `epoch`.
    #[must_use]
    pub fn subscribed_by_client(&self, uri: Arc<str>, epoch: Epoch) -> SubscriptionGuard {
        self.shared.subscriptions.mark_subscribed(&uri, epoch);
        self.subscribe(vec![uri])
    }

    /// Returns what to compare with when a request that is sent now has succeeded.
    #[must_use]
    pub fn subscription_epoch(&self) -> Epoch {
        self.shared.subscriptions.epoch()
    }

    /// Counts the guards that hold this resource.
    #[must_use]
    pub fn subscriber_count(&self, uri: &str) -> usize {
        self.shared.subscriptions.count(uri)
    }

    /// Returns what is known of it, connected or not.
    #[must_use]
    pub fn offers(&self) -> &Offers {
        &self.shared.offers
    }

    /// Returns it as the cache on disk knows it.
    #[must_use]
    pub fn cached(&self) -> Arc<CachedUpstream> {
        self.cached.clone()
    }

    /// Has its tools read again.
    pub fn request_tools(&self) {
        self.shared.relist.notify_one();
    }

    /// Has its tools read again, waits until that is done or a while has passed, and returns those that are
    /// known then.
    pub async fn refresh_tools(&self) -> Option<Arc<ToolList>> {
        let mut listed = self.offers().watch_times_listed();
        listed.mark_unchanged();
        self.request_tools();
        let _ = timeout(REFRESH_TIMEOUT, listed.changed()).await;
        self.offers().tools()
    }

    /// Returns `true` if it is connected and declares items of this kind.
    #[must_use]
    pub fn serves(&self, kind: ItemKind) -> bool {
        let live = self.ready();
        live.is_some_and(|live| live.profile.offers(kind))
    }

    /// Lists its items of one kind; none when it is not connected.
    ///
    /// # Errors
    /// [`UpstreamError`], when they could not be read.
    pub async fn items(&self, kind: ItemKind) -> Result<ItemList, UpstreamError> {
        let Some(live) = self.ready() else {
            return Ok(ItemList::default());
        };
        let items = self.offers().refresh_items(&live, kind).await;
        items.map_err(|cause| self.error(kind.list_method(), cause))
    }

    /// Returns `true` once waiting for its tools has an end: they are known, or the first attempt to connect
    /// failed.
    #[must_use]
    pub fn has_listing_or_failed(&self) -> bool {
        self.offers().tools().is_some() || self.has_live_listing_or_failed()
    }

    /// The same, where tools that an earlier process stored do not count.
    #[must_use]
    pub fn has_live_listing_or_failed(&self) -> bool {
        self.offers().times_listed() > 0
            || matches!(&*self.shared.state.borrow(), State::Disconnected(_))
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
