//! Sessions beside the main one. A session with a legacy upstream is bound to what its client declared
//! in `initialize`; a client that declares something else gets a session of its own.

use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::connection::Events;
use super::handle::{Shared, Upstream};
use super::identity::Identity;

/// How many sessions an upstream has beside its main one. When one more is needed, the one that was
/// used longest ago ends: hardly any client declares more than two different things.
const MAX_SIDE_SESSIONS: usize = 4;

/// What the tasks of an upstream are started with.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) events: Arc<dyn Events>,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// A session for clients of one identity.
#[derive(Debug)]
pub(super) struct SideSession {
    identity: Arc<Identity>,
    upstream: Upstream,
    cancel: CancellationToken,
}

impl Upstream {
    /// The session that serves this client, begun if there is none.
    pub(super) fn side_session(&self, identity: &Arc<Identity>) -> Self {
        let mut sides = self
            .shared
            .sides
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let serving = sides
            .iter()
            .position(|side| side.identity.shares_session(identity));
        let side = match serving {
            Some(found) => sides.remove(found),
            None => self.open_side(identity),
        };
        let upstream = side.upstream.clone();
        // The one used last stands last.
        sides.push(side);
        if sides.len() > MAX_SIDE_SESSIONS {
            let oldest = sides.remove(0);
            debug!(upstream = %self.config().name, "ending the side session used longest ago");
            oldest.cancel.cancel();
        }
        upstream
    }

    fn open_side(&self, identity: &Arc<Identity>) -> SideSession {
        let main = &self.shared;
        let mut shared = Shared::new(
            main.index,
            main.config.clone(),
            main.clients.clone(),
            main.authorizer.clone(),
            main.limit,
            // Nobody watches it: what it offers is what the main session offers.
            Arc::new(Notify::new()),
        );
        shared.is_side = true;
        shared.level = main.level.clone();
        let upstream = Self {
            shared: Arc::new(shared),
        };
        let home = main.home.get();
        let cancel = home.map_or_else(CancellationToken::new, |home| home.cancel.child_token());
        if let Some(home) = home {
            debug!(upstream = %main.config.name, "opening a session for another client's capabilities");
            upstream.begin(home, identity, cancel.clone());
        }
        SideSession {
            identity: identity.clone(),
            upstream,
            cancel,
        }
    }

    /// Its sessions: the main one first.
    #[must_use]
    pub fn sessions(&self) -> Vec<Self> {
        let sides = self
            .shared
            .sides
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let sides = sides.iter().map(|side| side.upstream.clone());
        std::iter::once(self.clone()).chain(sides).collect()
    }
}
