//! The handle that the rest of the program has of an upstream.

pub(crate) mod outcome;
mod parts;
pub(crate) mod tasks;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cache::upstream::CachedUpstream;
use super::call::{self, Call};
use super::connection::ConnectionUse;
use super::connection::event_handler::EventHandler;
use super::error::TransportError;
use super::error::reported::UpstreamError;
use super::flow::deadline::Activity;
use super::flow::process_limits::ProcessLimits;
use super::flow::send_buffer::SendBuffer;
use super::id::{ClientId, UpstreamId};
use super::offers::Offers;
use super::offers::tools::ToolList;
use super::session::command::Command;
use super::session::context::TaskContext;
use super::session::pool::SessionPool;
use super::session::settings::UpstreamSettings;
use super::subscription::guard;
use super::subscription::ledger::{Epoch, Subscriptions};
use crate::config;
use crate::net::Clients;
use crate::oauth::Authorizer;
use crate::protocol::{ClientProfile, ItemKind, ItemList, LogLevel, Request};
use outcome::FailedAttempt;
use parts::Parts;

/// How long a call waits for tools that are read again.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps resources of an upstream subscribed, and the upstream in use, until it is dropped.
pub type SubscriptionGuard = guard::SubscriptionGuard<Upstream>;

/// One upstream. Cheap to clone; all clones mean the same sessions.
#[derive(Debug, Clone)]
pub struct Upstream {
    parts: Arc<Parts>,
    /// The configuration as it is now; [`UpstreamSettings`] has the one that connections are made by.
    config: Arc<config::Upstream>,
    cached: Arc<CachedUpstream>,
}

impl Upstream {
    /// An upstream that is not connected yet. `changed` is notified whenever there is news of it.
    #[must_use]
    pub fn new(
        config: config::Upstream,
        http_clients: Arc<Clients>,
        authorizer: Option<Arc<Authorizer>>,
        limits: ProcessLimits,
        changed: Arc<Notify>,
    ) -> Self {
        let config = Arc::new(config);
        let settings = UpstreamSettings::new(config.clone(), http_clients, authorizer, limits);
        let parts = Parts::new(settings, changed);
        Self {
            cached: Arc::new(CachedUpstream::new(config.clone(), parts.offers.clone())),
            config,
            parts: Arc::new(parts),
        }
    }

    /// Starts the task that keeps its main session connected until `cancel`, or until it is
    /// [retired](Self::retire).
    pub fn start(
        &self,
        profile: &Arc<ClientProfile>,
        events: Arc<dyn EventHandler>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        let tasks = TaskContext {
            events,
            tasks: tasks.clone(),
            cancel: cancel.child_token(),
        };
        self.pool().start(profile, tasks);
    }

    /// Returns its sessions.
    #[must_use]
    pub fn pool(&self) -> &SessionPool {
        &self.parts.pool
    }

    fn settings(&self) -> &UpstreamSettings {
        &self.pool().settings
    }

    /// The client has opened a session. The main session serves its profile from now on, unless another client
    /// needs that session as it is: then calls of this client go by an extra session.
    pub fn set_client_profile(&self, client: ClientId, profile: &Arc<ClientProfile>) {
        self.pool().set_profile(client, profile);
    }

    /// The client has left: its profile and its log level count no more.
    pub fn remove_client(&self, client: ClientId) {
        self.pool().remove_client(client);
        self.settings().log_demand.remove(client);
    }

    /// Returns its id.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        self.settings().id
    }

    /// Returns its configuration.
    #[must_use]
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Returns `true` if its connections are what this configuration asks for.
    #[must_use]
    pub fn can_share_connection(&self, config: &config::Upstream) -> bool {
        self.settings().config.can_share_connection(config)
    }

    /// Returns the same upstream, with the same sessions, under another configuration that it
    /// [connects as](Self::can_share_connection).
    #[must_use]
    pub fn with_config(&self, config: config::Upstream) -> Self {
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// Returns `true` if both are the same upstream under the same configuration.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id() == other.id() && Arc::ptr_eq(&self.config, &other.config)
    }

    /// Drops this handle, waits until there is no other, and closes all sessions for good.
    pub fn retire(self) -> impl Future<Output = ()> + Send + use<> {
        self.parts.retirement()
    }

    /// Sends the request that `build` makes for the connection as it is, on behalf of the client of this
    /// profile, which asks for its logs from `level` on; `call::call` says how.
    ///
    /// # Errors
    /// [`UpstreamError`]; its [`outcome`](TransportError::outcome) says whether the request may have run.
    pub fn call(
        &self,
        method: &str,
        client: (ClientId, &Arc<ClientProfile>),
        level: Option<LogLevel>,
        send_buffer: Option<&Arc<SendBuffer>>,
        build: impl Fn(&ConnectionUse, &Activity) -> Request + Send + Sync,
    ) -> impl Future<Output = Result<Call, UpstreamError>> + Send {
        call::call(self.pool(), method, client, level, send_buffer, build)
    }

    /// Returns the main session's connection; waits for it as a call does.
    ///
    /// # Errors
    /// [`UpstreamError`], when there is none in time.
    pub async fn wait_for_connection(&self, method: &str) -> Result<ConnectionUse, UpstreamError> {
        call::wait_for_connection(self.pool(), method).await
    }

    /// Returns the main session's connection, if there is one.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionUse> {
        self.pool().main().connection()
    }

    /// Waits, without holding the handle, until it is connected; `None` when it never will be.
    pub fn when_connected(&self) -> impl Future<Output = Option<ConnectionUse>> + use<> {
        outcome::when_connected(self.pool().main().watch())
    }

    /// Waits until it is connected and has listed its tools, or an attempt after `seen` has failed.
    ///
    /// # Errors
    /// [`FailedAttempt`]; others follow by themselves.
    pub async fn wait_until_listed(
        &self,
        seen: u64,
    ) -> Result<(ConnectionUse, Arc<ToolList>), FailedAttempt> {
        let state = self.pool().main().watch();
        outcome::wait_until_listed(state, self.offers().watch_tools(), seen).await
    }

    /// The client's session asks for logs from this level on; `None` when it names none.
    pub fn set_level(&self, client: ClientId, level: Option<LogLevel>) {
        self.settings().log_demand.set(client, level);
    }

    /// Subscribes to updates of these resources for as long as the guard is held.
    #[must_use]
    pub fn subscribe(&self, uris: Vec<Arc<str>>) -> SubscriptionGuard {
        SubscriptionGuard::new(self.clone(), &self.parts.subscriptions, uris)
    }

    /// As [`Self::subscribe`], after a client's own request for it has succeeded, which went out at `epoch`.
    #[must_use]
    pub fn subscribed_by_client(&self, uri: Arc<str>, epoch: Epoch) -> SubscriptionGuard {
        self.parts.subscriptions.mark_subscribed(&uri, epoch);
        self.subscribe(vec![uri])
    }

    /// Returns the resources that are subscribed to.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.parts.subscriptions
    }

    /// Returns what is known of it, connected or not.
    #[must_use]
    pub fn offers(&self) -> &Offers {
        &self.parts.offers
    }

    /// Returns it as the cache on disk knows it.
    #[must_use]
    pub fn cached_upstream(&self) -> Arc<CachedUpstream> {
        self.cached.clone()
    }

    /// Has its tools read again.
    pub fn request_tool_refresh(&self) {
        self.pool().main().commands.send(Command::RefreshTools);
    }

    /// Has its tools read again, waits until that is done or a while has passed, and returns those that are
    /// known then.
    pub async fn refresh_tools(&self) -> Option<Arc<ToolList>> {
        let mut listed = self.offers().watch_times_listed();
        listed.mark_unchanged();
        self.request_tool_refresh();
        let _ = timeout(REFRESH_TIMEOUT, listed.changed()).await;
        self.offers().tools()
    }

    /// Returns `true` if it is connected and declares items of this kind.
    #[must_use]
    pub fn declares(&self, kind: ItemKind) -> bool {
        let connection = self.connection();
        connection.is_some_and(|connection| connection.profile.has_items(kind))
    }

    /// Lists its items of one kind; none when it is not connected.
    ///
    /// # Errors
    /// [`UpstreamError`], when they could not be read.
    pub async fn list_items(&self, kind: ItemKind) -> Result<ItemList, UpstreamError> {
        let Some(connection) = self.connection() else {
            return Ok(ItemList::default());
        };
        let items = self.offers().refresh_items(&connection, kind).await;
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
        self.offers().times_listed() > 0 || self.pool().main().is_disconnected()
    }

    /// Lists its tasks, each as it wrote it; nothing where it does not declare that it can.
    ///
    /// # Errors
    /// [`UpstreamError`], when the listing could not be read.
    pub async fn list_tasks(&self) -> Result<Vec<Bytes>, UpstreamError> {
        let listed = tasks::list(self.connection()).await;
        listed.map_err(|cause| self.error(tasks::LIST, cause))
    }

    /// Returns an error of this upstream.
    #[must_use]
    pub fn error(&self, method: &str, cause: TransportError) -> UpstreamError {
        self.settings().error(method, cause)
    }
}
