//! What makes the upstreams, those of the start and those of a changed configuration.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::config;
use crate::oauth::{AuthContext, Authorizer};
use crate::upstream::{ProcessLimits, Upstream};

/// What an upstream is made of, besides its configuration.
#[derive(Debug, Clone)]
pub(super) struct UpstreamFactory {
    /// Where logins are kept; `None` when nothing says where.
    pub(super) home: Option<PathBuf>,
    /// What the credentials of all upstreams share.
    pub(super) auth: AuthContext,
    /// What bounds all upstreams alike.
    pub(super) limits: ProcessLimits,
    /// Rung whenever there is news of an upstream.
    pub(super) changed: Arc<Notify>,
}

impl UpstreamFactory {
    /// Returns an upstream that is not connected yet.
    pub(super) fn make(&self, upstream: config::Upstream) -> Upstream {
        let home = self.home.as_deref();
        let auth = &self.auth;
        let authorizer = home.and_then(|home| Authorizer::new(home, &upstream, auth.clone()));
        let (limits, changed) = (self.limits.clone(), self.changed.clone());
        Upstream::new(upstream, auth.clients.clone(), authorizer, limits, changed)
    }
}
