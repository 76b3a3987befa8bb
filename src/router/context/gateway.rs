//! State shared by all clients: the upstreams, the catalog, and the limits and tasks of the process. No state
//! here belongs to one client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::item_cache::ItemCache;
use crate::catalog::{CatalogView, wait_for_initial_listing, wait_for_live_listing};
use crate::config::Limits;
use crate::protocol::ClientProfile;
use crate::upstream::{EventHandler, Registry, Upstream};

/// The process-wide state of the router.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) upstreams: Registry,
    pub(crate) view: watch::Receiver<CatalogView>,
    pub(crate) items: ItemCache,
    pub(crate) limits: Limits,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    /// Delivers what upstreams send outside of requests to the clients.
    pub(crate) events: Arc<dyn EventHandler>,
    has_started: AtomicBool,
    /// Cancelled when a second client connects.
    shared: CancellationToken,
}

impl Gateway {
    /// Creates a gateway without connections. `events` creates the handler of what upstreams send outside of
    /// requests.
    pub(crate) fn new(
        upstreams: Registry,
        view: watch::Receiver<CatalogView>,
        limits: Limits,
        tasks: TaskTracker,
        cancel: CancellationToken,
        events: impl FnOnce(&Weak<Self>) -> Arc<dyn EventHandler>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|gateway| Self {
            upstreams,
            view,
            items: ItemCache::default(),
            limits,
            tasks,
            cancel,
            events: events(gateway),
            has_started: AtomicBool::new(false),
            shared: CancellationToken::new(),
        })
    }

    /// Connects to all upstreams for this profile. Later calls do nothing.
    pub(crate) fn start_upstreams_once(&self, profile: &Arc<ClientProfile>) {
        if self.has_started.swap(true, Ordering::Relaxed) {
            return;
        }
        debug!(client = profile.client_info(), "connecting");
        for upstream in self.upstreams.all().iter() {
            self.start_upstream(upstream, profile);
        }
    }

    /// Returns `true` once the upstreams have been started.
    pub(crate) fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Connects to one upstream for this profile.
    pub(crate) fn start_upstream(&self, upstream: &Upstream, profile: &Arc<ClientProfile>) {
        upstream.start(profile, self.events.clone(), &self.tasks, &self.cancel);
    }

    /// Records that there is more than one client. This state is final.
    pub(crate) fn mark_shared(&self) {
        self.shared.cancel();
    }

    /// Returns `true` if there is, or was, more than one client. A message for one client must then not reach
    /// another, and a message for an unknown client is dropped.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_cancelled()
    }

    /// Waits until there is more than one client.
    pub(crate) async fn wait_until_shared(&self) {
        self.shared.cancelled().await;
    }

    /// Spawns a task that ends with the process at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            cancel.run_until_cancelled(task).await;
        });
    }

    /// Waits until every upstream has a listing or has failed, up to a time limit.
    pub(crate) async fn wait_for_initial_listing(&self) {
        wait_for_initial_listing(&self.view).await;
    }

    /// Waits until every upstream has listed its tools to this process or has failed, up to a time limit.
    pub(crate) async fn wait_for_live_listing(&self) {
        wait_for_live_listing(&self.view).await;
    }
}
