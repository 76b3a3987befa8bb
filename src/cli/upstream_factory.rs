//! Creates upstreams, at the start and on a hot reload.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::config;
use crate::oauth::{AuthContext, Authorizer};
use crate::upstream::{ProcessLimits, Upstream};

/// Creates upstreams from their configurations.
#[derive(Debug, Clone)]
pub(super) struct UpstreamFactory {
    /// The folder for logins; `None` if no home folder is known.
    pub(super) home: Option<PathBuf>,
    /// The state shared by the credentials of all upstreams.
    pub(super) auth: AuthContext,
    /// The limits of all upstreams.
    pub(super) limits: ProcessLimits,
    /// Notified when an upstream changes.
    pub(super) changed: Arc<Notify>,
}

impl UpstreamFactory {
    /// Creates an upstream that is not connected yet.
    pub(super) fn make(&self, upstream: config::Upstream) -> Upstream {
        let home = self.home.as_deref();
        let auth = &self.auth;
        let authorizer = home.and_then(|home| Authorizer::new(home, &upstream, auth.clone()));
        let (limits, changed) = (self.limits.clone(), self.changed.clone());
        Upstream::new(upstream, auth.clients.clone(), authorizer, limits, changed)
    }
}
