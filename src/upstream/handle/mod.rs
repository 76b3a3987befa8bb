//! The handle of an upstream, for the rest of the program.

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

/// How long a call waits until the tools are read again.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps resources of an upstream subscribed, and the upstream in use, until the guard is dropped.
pub type SubscriptionGuard = guard::SubscriptionGuard<Upstream>;

/// One upstream. Cheap to clone; all clones share the same sessions.
#[derive(Debug, Clone)]
pub struct Upstream {
    parts: Arc<Parts>,
    /// The current configuration. [`UpstreamSettings`] has the one that connections are made by.
    config: Arc<config::Upstream>,
    cached: Arc<CachedUpstream>,
}

impl Upstream {
    /// Creates an upstream that is not connected yet. `changed` is notified of each change of its state or tools.
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

    /// Starts the supervisor of the main session. The session stays connected until `cancel`, or until the
    /// upstream is [retired](Self::retire).
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

    /// Returns the upstream's sessions.
    #[must_use]
    pub fn pool(&self) -> &SessionPool {
        &self.parts.pool
    }

    fn settings(&self) -> &UpstreamSettings {
        &self.pool().settings
    }

    /// Sets the profile of a client that has opened a session. The main session serves this profile from now on.
    /// If another client needs the main session as it is, calls of this client use an extra session.
    pub fn set_client_profile(&self, client: ClientId, profile: &Arc<ClientProfile>) {
        self.pool().set_profile(client, profile);
    }

    /// Removes the profile and the log level of a client that has left.
    pub fn remove_client(&self, client: ClientId) {
        self.pool().remove_client(client);
        self.settings().log_demand.remove(client);
    }

    /// Returns the upstream's id.
    #[must_use]
    pub fn id(&self) -> UpstreamId {
        self.settings().id
    }

    /// Returns the current configuration.
    #[must_use]
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Returns `true` if an upstream with this configuration could use the same connections.
    #[must_use]
    pub fn can_share_connection(&self, config: &config::Upstream) -> bool {
        self.settings().config.can_share_connection(config)
    }

    /// Returns the same upstream with the same sessions under another configuration. The two
    /// configurations must be able to [share connections](Self::can_share_connection).
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

    /// Drops this handle, waits until all other handles are dropped, and closes all sessions for good.
    pub fn retire(self) -> impl Future<Output = ()> + Send + use<> {
        self.parts.retirement()
    }

    /// Sends the request that `build` makes for the connection, on behalf of the client with this profile. The
    /// client receives logs of the request from `level` on. See `call::call` for waits and retries.
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

    /// Returns the main session's connection. Waits for it as a call does.
    ///
    /// # Errors
    /// [`UpstreamError`], if the session is not connected in time.
    pub async fn wait_for_connection(&self, method: &str) -> Result<ConnectionUse, UpstreamError> {
        call::wait_for_connection(self.pool(), method).await
    }

    /// Returns the main session's connection, if the session is connected.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionUse> {
        self.pool().main().connection()
    }

    /// Waits until the main session is connected. Returns `None` if it was closed for good. Does not hold the
    /// handle meanwhile.
    pub fn when_connected(&self) -> impl Future<Output = Option<ConnectionUse>> + use<> {
        outcome::when_connected(self.pool().main().watch())
    }

    /// Waits until the upstream is connected and its tools are listed.
    ///
    /// # Errors
    /// [`FailedAttempt`], if an attempt after the attempt `seen` fails. The supervisor goes on to retry.
    pub async fn wait_until_listed(
        &self,
        seen: u64,
    ) -> Result<(ConnectionUse, Arc<ToolList>), FailedAttempt> {
        let state = self.pool().main().watch();
        outcome::wait_until_listed(state, self.offers().watch_tools(), seen).await
    }

    /// Sets the log level that a client's session asks for; `None` if the client has set none.
    pub fn set_level(&self, client: ClientId, level: Option<LogLevel>) {
        self.settings().log_demand.set(client, level);
    }

    /// Subscribes to updates of these resources for as long as the guard is held.
    #[must_use]
    pub fn subscribe(&self, uris: Vec<Arc<str>>) -> SubscriptionGuard {
        SubscriptionGuard::new(self.clone(), &self.parts.subscriptions, uris)
    }

    /// Subscribes to updates of a resource after a client's own request, sent at `epoch`, has succeeded.
    #[must_use]
    pub fn subscribed_by_client(&self, uri: Arc<str>, epoch: Epoch) -> SubscriptionGuard {
        self.parts.subscriptions.mark_subscribed(&uri, epoch);
        self.subscribe(vec![uri])
    }

    /// Returns the resource subscriptions of the upstream.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.parts.subscriptions
    }

    /// Returns the upstream's profile and listings, whether it is connected or not.
    #[must_use]
    pub fn offers(&self) -> &Offers {
        &self.parts.offers
    }

    /// Returns the cache's view of the upstream.
    #[must_use]
    pub fn cached_upstream(&self) -> Arc<CachedUpstream> {
        self.cached.clone()
    }

    /// Requests that the tools be read again. Does not wait.
    pub fn request_tool_refresh(&self) {
        self.pool().main().commands.send(Command::RefreshTools);
    }

    /// Requests that the tools be read again, waits for that up to `REFRESH_TIMEOUT`, and returns the last
    /// tools.
    pub async fn refresh_tools(&self) -> Option<Arc<ToolList>> {
        let mut listed = self.offers().watch_times_listed();
        listed.mark_unchanged();
        self.request_tool_refresh();
        let _ = timeout(REFRESH_TIMEOUT, listed.changed()).await;
        self.offers().tools()
    }

    /// Returns `true` if the upstream is connected and declares items of this kind.
    #[must_use]
    pub fn declares(&self, kind: ItemKind) -> bool {
        let connection = self.connection();
        connection.is_some_and(|connection| connection.server_profile.has_items(kind))
    }

    /// Reads the upstream's items of one kind. Returns an empty list if the upstream is disconnected.
    ///
    /// # Errors
    /// [`UpstreamError`], if they could not be read.
    pub async fn list_items(&self, kind: ItemKind) -> Result<ItemList, UpstreamError> {
        let Some(connection) = self.connection() else {
            return Ok(ItemList::default());
        };
        let items = self.offers().refresh_items(&connection, kind).await;
        items.map_err(|cause| self.error(kind.list_method(), cause))
    }

    /// Returns `true` if the initial listing needs no more waiting. The tools were listed, by this process or
    /// an earlier one, or the last attempt to connect has failed.
    #[must_use]
    pub fn has_listing_or_failed(&self) -> bool {
        self.offers().tools().is_some() || self.has_live_listing_or_failed()
    }

    /// Returns `true` if this process has listed the tools, or if the last attempt to connect has failed.
    #[must_use]
    pub fn has_live_listing_or_failed(&self) -> bool {
        self.offers().times_listed() > 0 || self.pool().main().is_disconnected()
    }

    /// Reads the upstream's tasks, each as the server wrote it. Returns an empty list if the server does not
    /// declare `tasks/list`.
    ///
    /// # Errors
    /// [`UpstreamError`], if the listing could not be read.
    pub async fn list_tasks(&self) -> Result<Vec<Bytes>, UpstreamError> {
        let listed = tasks::list(self.connection()).await;
        listed.map_err(|cause| self.error(tasks::LIST, cause))
    }

    /// Returns the error of a request to this upstream.
    #[must_use]
    pub fn error(&self, method: &str, cause: TransportError) -> UpstreamError {
        self.settings().error(method, cause)
    }
}
