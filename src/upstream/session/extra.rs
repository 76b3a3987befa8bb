//! The sessions beside the main one, and which of them end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::handle::SessionHandle;
use crate::config::UpstreamName;
use crate::protocol::ClientProfile;
use crate::upstream::id::ClientId;

/// How many sessions an upstream has beside its main one. When one more is needed, the one that was
/// used longest ago ends, of those that are not in use: hardly any client declares more than two
/// different things.
pub(crate) const MAX_EXTRA_SESSIONS: usize = 4;

/// How long an extra session may be unused. Longer, and it ends when next one is asked for.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// A session for the clients of one profile, or for one client alone.
#[derive(Debug)]
pub(crate) struct ExtraSession {
    pub(crate) client: Option<ClientId>,
    pub(crate) profile: Arc<ClientProfile>,
    pub(crate) handle: Arc<SessionHandle>,
    pub(crate) cancel: CancellationToken,
    /// When it was last seen to be used.
    pub(crate) last_used: Instant,
}

/// Ends the sessions that were unused for too long, and the one unused for longest if there are too many.
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
        debug!(%upstream, "ending a side session that nobody uses");
        session.cancel.cancel();
    }
}
