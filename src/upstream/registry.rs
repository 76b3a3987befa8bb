//! All configured upstreams, in the order of the configuration.
//!
//! Readers take a snapshot and never wait; a hot reload replaces the whole set. State that outlives a request
//! refers to an upstream by its [`UpstreamId`], which is never used for another upstream.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::cache::upstream::CachedUpstream;
use super::cache::writer::CacheSource;
use super::handle::Upstream;
use super::id::UpstreamId;
use crate::config::UpstreamName;
use crate::sync::Mutex;

/// How many retired upstreams the registry keeps the names of.
const MAX_RETIRED: usize = 1024;

/// A snapshot of all upstreams, in the order of the configuration.
pub type UpstreamSet = Arc<[Upstream]>;

/// All upstreams. Cheap to clone; all clones share one set.
#[derive(Debug, Clone)]
pub struct Registry {
    current: Arc<watch::Sender<UpstreamSet>>,
    retired: Arc<Mutex<VecDeque<(UpstreamId, UpstreamName)>>>,
}

impl Registry {
    /// Creates a registry of these upstreams, in this order.
    #[must_use]
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        Self {
            current: Arc::new(watch::Sender::new(upstreams.into())),
            retired: Arc::default(),
        }
    }

    /// Returns the current upstreams.
    #[must_use]
    pub fn all(&self) -> UpstreamSet {
        self.current.borrow().clone()
    }

    /// Returns the upstream with this id, unless it was retired.
    #[must_use]
    pub fn get(&self, id: UpstreamId) -> Option<Upstream> {
        let all = self.current.borrow();
        all.iter().find(|upstream| upstream.id() == id).cloned()
    }

    /// Returns `true` if this upstream is current, with the same configuration.
    #[must_use]
    pub fn contains(&self, upstream: &Upstream) -> bool {
        self.current.borrow().iter().any(|it| it.is_same(upstream))
    }

    /// Returns the upstream with this id. If that upstream was retired, returns the current one of its name.
    ///
    /// # Errors
    /// The name of the retired upstream, if the registry still has it.
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

    /// Replaces all upstreams.
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

    /// Watches the set of upstreams.
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
