//! The process-wide parts, created before the first client connects: the upstreams, the catalog and the
//! router.

use std::future::pending;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, OnceCell, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::reload::Reload;
use super::runtime::{CACHE_LOAD_TIMEOUT, SHUTDOWN_GRACE};
use super::upstream_factory::UpstreamFactory;
use super::watch::FileWatcher;
use crate::catalog::{CatalogUpdater, CatalogView};
use crate::config::{Config, Environment};
use crate::disk::home;
use crate::downstream::{ClientConnection, DisconnectReason, Sink, Source};
use crate::net::Clients;
use crate::oauth::{AuthContext, LoginMode};
use crate::router::{Outbox, Router};
use crate::sync::Mutex;
use crate::upstream::{CacheLoader, CacheWriter, ProcessLimits, Registry};

/// The process-wide parts of the proxy. Any number of clients can connect to it.
#[derive(Debug)]
pub struct Proxy {
    router: Arc<Router>,
    registry: Registry,
    factory: UpstreamFactory,
    loader: Option<CacheLoader>,
    message_limit: usize,
    /// Started with the first line of the first client; `None` afterwards.
    deferred_start: Mutex<Option<DeferredStart>>,
    started: OnceCell<()>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// The work that starts with the first line.
#[derive(Debug)]
struct DeferredStart {
    /// Resolves when the cached listings of the upstreams are loaded.
    loaded: Option<oneshot::Receiver<()>>,
    updater: CatalogUpdater,
    view: watch::Sender<CatalogView>,
}

impl Proxy {
    /// Assembles a proxy without connecting to any upstream.
    #[must_use]
    pub fn new(config: Config, environment: &Environment) -> Self {
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let limits = config.limits;
        let home = home(environment).inspect_err(|error| error!(%error, "cannot store logins"));
        let factory = UpstreamFactory {
            home: home.ok(),
            auth: AuthContext::new(environment, LoginMode::Background, tasks.clone()),
            limits: ProcessLimits::new(limits.clone()),
            changed: Arc::new(Notify::new()),
        };
        let upstreams = config.upstreams.into_iter();
        let registry = Registry::new(upstreams.map(|it| factory.make(it)).collect());
        let cache = factory.home.as_ref().filter(|_| limits.remember);
        let cache = cache.map(|home| CacheWriter::new(home, registry.clone()));
        let loader = cache.as_ref().map(CacheWriter::loader);
        let loaded = cache.map(|cache| {
            let (sender, loaded) = oneshot::channel();
            tasks.spawn(cache.run(sender, cancel.clone()));
            loaded
        });
        let (view_sender, view) = watch::channel(CatalogView::default());
        let updater = CatalogUpdater {
            upstreams: registry.clone(),
            changed: factory.changed.clone(),
            limits: limits.clone(),
        };
        let message_limit = limits.message_bytes;
        let deferred_start = DeferredStart {
            loaded,
            updater,
            view: view_sender,
        };
        Self {
            router: Router::new(
                registry.clone(),
                view,
                limits,
                tasks.clone(),
                cancel.clone(),
            ),
            registry,
            factory,
            loader,
            message_limit,
            deferred_start: Mutex::new(Some(deferred_start)),
            started: OnceCell::new(),
            tasks,
            cancel,
        }
    }

    /// Applies every change of the configuration file that `watcher` reports.
    pub(super) fn reload_on_change(&self, environment: Environment, watcher: FileWatcher) {
        let reload = Reload {
            environment,
            registry: self.registry.clone(),
            router: self.router.clone(),
            loader: self.loader.clone(),
            factory: self.factory.clone(),
        };
        self.tasks.spawn(reload.run(watcher, self.cancel.clone()));
    }

    /// Opens a session for another client.
    pub(super) fn open_client(&self, input: Source, output: Sink) -> ClientConnection {
        let outbox = Outbox::new(self.factory.limits.send_budget.add_client());
        ClientConnection::open(&self.router, outbox, self.message_limit, input, output)
    }

    /// Serves another client on these streams, until it disconnects.
    pub async fn serve_client(
        &self,
        input: impl AsyncRead + Send + 'static,
        output: impl AsyncWrite + Send + 'static,
    ) -> DisconnectReason {
        let mut client = self.open_client(Source::from_reader(input), Box::pin(output));
        let prepare_for_line = || self.prepare_for_line();
        let reason = client
            .serve(pending(), prepare_for_line, SHUTDOWN_GRACE / 2)
            .await;
        client.leave(Instant::now() + SHUTDOWN_GRACE).await;
        reason
    }

    /// Prepares for a client's line. The very first line starts the wait of the first listing.
    pub(super) async fn prepare_for_line(&self) {
        self.started.get_or_init(|| self.start()).await;
        // A request must not be sent on a connection that a suspend has broken.
        self.clients().detect_suspend();
    }

    async fn start(&self) {
        let Some(deferred_start) = self.deferred_start.lock().take() else {
            return;
        };
        if let Some(loaded) = deferred_start.loaded {
            let _ = timeout(CACHE_LOAD_TIMEOUT, loaded).await;
        }
        let (tasks, cancel) = (&self.tasks, &self.cancel);
        tasks.spawn(
            deferred_start
                .updater
                .run(deferred_start.view, cancel.clone()),
        );
        tasks.spawn(self.clients().clone().watch_suspend(cancel.clone()));
    }

    fn clients(&self) -> &Arc<Clients> {
        &self.factory.auth.clients
    }

    /// Cancels the requests of all clients and closes the connections to the upstreams, until `deadline`.
    pub async fn shut_down(self, deadline: Instant) {
        self.router.shut_down(SHUTDOWN_GRACE / 2).await;
        self.cancel.cancel();
        self.tasks.close();
        if timeout_at(deadline, self.tasks.wait()).await.is_err() {
            info!("an upstream connection did not close in time");
        }
    }
}
