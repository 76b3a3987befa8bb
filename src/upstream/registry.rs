//! All upstreams as they are now, in the order of the configuration.
//!
//! Readers take a snapshot and never wait; it is replaced as a whole. What outlives a request knows an
//! upstream by its [`UpstreamId`], which after its end leads nowhere, and never to another.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::cache::upstream::CachedUpstream;
use super::cache::writer::CacheSource;
use super::handle::Upstream;
use super::id::UpstreamId;
use crate::config::UpstreamName;
use crate::sync::Mutex;

/// How many that are gone are known by name.
const MAX_RETIRED: usize = 1024;

/// Upstreams in the order of the configuration, at one moment.
pub type UpstreamSet = Arc<[Upstream]>;

/// All upstreams. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct Registry {
    current: Arc<watch::Sender<UpstreamSet>>,
    retired: Arc<Mutex<VecDeque<(UpstreamId, UpstreamName)>>>,
}

impl Registry {
    /// These, in this order.
    #[must_use]
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        Self {
            current: Arc::new(watch::Sender::new(upstreams.into())),
            retired: Arc::default(),
        }
    }

    /// All of them now.
    #[must_use]
    pub fn all(&self) -> UpstreamSet {
        self.current.borrow().clone()
    }

    /// The one with this id, if it is still there.
    #[must_use]
    pub fn get(&self, id: UpstreamId) -> Option<Upstream> {
        let all = self.current.borrow();
        all.iter().find(|upstream| upstream.id() == id).cloned()
    }

    /// Whether this very one is there, under the configuration that it has.
    #[must_use]
    pub fn contains(&self, upstream: &Upstream) -> bool {
        self.current.borrow().iter().any(|it| it.is_same(upstream))
    }

    /// The one with this id, or, if that is gone, the one that has its name now.
    ///
    /// # Errors
    /// The name of one that has no successor, where it is known.
    pub fn find_by_id_or_name(&self, id: UpstreamId) -> Result<Upstream, Option<UpstreamName>> {
        if let Some(upstream) = self.get(id) {
            return Ok(upstream);
        }
        let retired = self.retired.lock();
        let entry = retired.iter().find(|(retired, _)| *retired == id);
        let name = entry.map(|(_, name)| name.clone()).ok_or(None)?;
        let all = self.current.borrow();
        let found = all.iter().find(|it| it.config().name == name).cloned();
        found.ok_or(Some(name))
    }

    /// Puts others in the place of all.
    pub fn replace(&self, upstreams: Vec<Upstream>) {
        let old = self.current.send_replace(upstreams.into());
        let current = self.all();
        let is_retired = |old: &&Upstream| !current.iter().any(|it| it.id() == old.id());
        let mut retired = self.retired.lock();
        for old in old.iter().filter(is_retired) {
            retired.push_back((old.id(), old.config().name.clone()));
        }
        let surplus = retired.len().saturating_sub(MAX_RETIRED);
        retired.drain(..surplus);
    }

    /// Watches it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<UpstreamSet> {
        self.current.subscribe()
    }
}

impl CacheSource for Registry {
    fn upstreams(&self) -> Vec<Arc<CachedUpstream>> {
        self.all().iter().map(Upstream::cached_upstream).collect()
    }
}
