//! The state that all handles of one upstream share.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::upstream::offers::Offers;
use crate::upstream::session::pool::SessionPool;
use crate::upstream::session::settings::UpstreamSettings;
use crate::upstream::subscription::ledger::Subscriptions;

/// The state that all handles of one upstream share. The tasks of its sessions hold only the fields that they
/// need. So they do not keep the upstream in use.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) pool: SessionPool,
    pub(crate) offers: Arc<Offers>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    /// Empty once the last handle is dropped.
    handles: TaskTracker,
    _token: TaskTrackerToken,
}

impl Parts {
    pub(crate) fn new(settings: UpstreamSettings, changed: Arc<Notify>) -> Self {
        let offers = Arc::new(Offers::new(changed.clone()));
        let subscriptions = Arc::<Subscriptions>::default();
        let (settings, handles) = (Arc::new(settings), TaskTracker::new());
        // A closed tracker lets `wait` end with the last handle.
        handles.close();
        Self {
            pool: SessionPool::new(settings, offers.clone(), subscriptions.clone(), changed),
            offers,
            subscriptions,
            _token: handles.token(),
            handles,
        }
    }

    /// Waits until the last handle is dropped, and closes all sessions for good. Does not hold `self` meanwhile.
    pub(crate) fn retirement(&self) -> impl Future<Output = ()> + Send + use<> {
        let (handles, cancel) = (self.handles.clone(), self.pool.cancellation());
        async move {
            handles.wait().await;
            if let Some(cancel) = cancel {
                cancel.cancel();
            }
        }
    }
}
