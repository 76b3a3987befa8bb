//! All upstreams as they are now, in the order of the configuration.
//!
//! Readers take a snapshot and never wait; it is replaced as a whole. What outlives a request knows an
//! upstream by its [`UpstreamId`], which after its end leads nowhere, and never to another.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::handle::Upstream;

/// Which upstream is meant, whatever its place in the configuration. Never used for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(u64);

impl UpstreamId {
    /// One that nobody has.
    #[must_use]
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Upstreams in the order of the configuration, at one moment.
pub type Snapshot = Arc<[Upstream]>;

/// All upstreams. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct Roster {
    now: Arc<watch::Sender<Snapshot>>,
}

impl Roster {
    /// These, in this order.
    #[must_use]
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(upstreams.into())),
        }
    }

    /// All of them now.
    #[must_use]
    pub fn all(&self) -> Snapshot {
        self.now.borrow().clone()
    }

    /// The one with this id, if it is still there.
    #[must_use]
    pub fn get(&self, id: UpstreamId) -> Option<Upstream> {
        let all = self.now.borrow();
        all.iter().find(|upstream| upstream.id() == id).cloned()
    }

    /// Puts others in the place of all.
    pub fn replace(&self, upstreams: Vec<Upstream>) {
        self.now.send_replace(upstreams.into());
    }

    /// Watches it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.now.subscribe()
    }
}
