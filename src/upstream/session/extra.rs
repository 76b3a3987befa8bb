//! The extra sessions of an upstream, and when they are closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::handle::SessionHandle;
use crate::config::UpstreamName;
use crate::protocol::ClientProfile;
use crate::upstream::id::ClientId;

/// How many extra sessions an upstream has. When one more is opened, the least recently used one is closed,
/// unless all are in use. Few clients declare more than two different sets of capabilities.
pub(crate) const MAX_EXTRA_SESSIONS: usize = 4;

/// How long an extra session may be unused. After that, the next lease of any extra session closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// A session for the clients of one profile, or for one client only.
#[derive(Debug)]
pub(crate) struct ExtraSession {
    pub(crate) client: Option<ClientId>,
    pub(crate) profile: Arc<ClientProfile>,
    pub(crate) handle: Arc<SessionHandle>,
    pub(crate) cancel: CancellationToken,
    /// When the session was last seen in use.
    pub(crate) last_used: Instant,
}

/// Closes the sessions that were idle for too long, and the least recently used one if there are too many.
pub(crate) fn close_unused(extra: &mut Vec<ExtraSession>, now: Instant, upstream: &UpstreamName) {
    let busy = extra.iter_mut().filter(|session| session.handle.is_busy());
    busy.for_each(|session| session.last_used = now);
    let surplus = extra.len() > MAX_EXTRA_SESSIONS;
    let unused = extra.iter().position(|session| session.last_used < now);
    let oldest = unused
        .filter(|_| surplus)
        .map(|oldest| extra.remove(oldest));
    let is_idle = |session: &mut ExtraSession| now.duration_since(session.last_used) > IDLE_TIMEOUT;
    let idle = extra.extract_if(.., is_idle);
    for session in oldest.into_iter().chain(idle) {
        debug!(%upstream, "closing an unused extra session");
        session.cancel.cancel();
    }
}
