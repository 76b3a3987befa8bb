//! The connections of a command to upstreams.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exit::CommandError;
use super::runtime::SHUTDOWN_GRACE;
use crate::config::{self, Environment, Limits};
use crate::disk::home;
use crate::oauth::{AuthContext, Authorizer, LoginMode};
use crate::protocol::reply::default_response;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::{
    CacheDirectory, ConnectionUse, EventHandler, ProcessLimits, Upstream, UpstreamId,
};
use crate::wire::Message;

/// Connects to upstreams, with shared credentials and cancellation.
pub(super) struct Connections {
    home: PathBuf,
    auth: AuthContext,
    cancel: CancellationToken,
}

impl Connections {
    /// Creates the shared state. `mode` says whether the user may be asked to sign in.
    ///
    /// # Errors
    /// [`CommandError::Usage`], if no home folder for logins is known.
    pub(super) fn new(environment: &Environment, mode: LoginMode) -> Result<Self, CommandError> {
        Ok(Self {
            home: home(environment).map_err(|error| CommandError::Usage(error.to_string()))?,
            auth: AuthContext::new(environment, mode, TaskTracker::new()),
            cancel: CancellationToken::new(),
        })
    }

    /// Returns the credentials of an upstream, if its configuration allows a sign-in.
    pub(super) fn authorizer(&self, upstream: &config::Upstream) -> Option<Arc<Authorizer>> {
        Authorizer::new(&self.home, upstream, self.auth.clone())
    }

    /// Returns the cached listings of upstreams.
    pub(super) fn cache(&self) -> CacheDirectory {
        CacheDirectory::new(&self.home)
    }

    /// Starts to connect to an upstream.
    pub(super) fn connect(
        &self,
        upstream: config::Upstream,
        authorizer: Option<Arc<Authorizer>>,
        limits: Limits,
    ) -> Upstream {
        let (clients, changed) = (self.auth.clients.clone(), Arc::default());
        let changed: Arc<Notify> = changed;
        let limits = ProcessLimits::new(limits);
        let upstream = Upstream::new(upstream, clients, authorizer, limits, changed);
        let tasks = &self.auth.tasks;
        upstream.start(&Arc::default(), Arc::new(IgnoreEvents), tasks, &self.cancel);
        upstream
    }

    /// Closes all connections, within [`SHUTDOWN_GRACE`].
    pub(super) async fn close(self) {
        self.cancel.cancel();
        self.auth.tasks.close();
        let _ = timeout(SHUTDOWN_GRACE, self.auth.tasks.wait()).await;
    }
}

/// Ignores notifications from upstreams, and answers their requests with defaults.
#[derive(Debug)]
struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn on_notification(&self, _: UpstreamId, _: ConnectionUse, _: Message) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn on_server_request(&self, connection: ConnectionUse, request: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = connection.notify(default_response(&request)).await;
        })
    }

    fn has_sent_items(&self, _: UpstreamId, _: ItemKind) -> bool {
        false
    }

    fn on_items_listed(&self, _: UpstreamId, _: Vec<(ItemKind, ItemList)>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn on_disconnect(&self, _: &ConnectionUse) {}
}
