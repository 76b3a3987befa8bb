//! Sessions beside the main one. A session with a legacy upstream is bound to what its client declared
//! in `initialize`; a client that declares something else gets a session of its own.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span};

use super::handle::{Shared, State};
use super::supervisor::SessionSupervisor;
use crate::protocol::ClientProfile;
use crate::upstream::connection::ConnectionUse;
use crate::upstream::connection::events::Events;
use crate::upstream::handle::Upstream;

/// How many sessions an upstream has beside its main one. When one more is needed, the one that was
/// used longest ago ends, of those that nobody uses now: hardly any client declares more than two
/// different things.
const MAX_SIDE_SESSIONS: usize = 4;

/// How long a session beside the main one may be unused. Longer, and it ends when next one is asked for.
const MAX_IDLE: Duration = Duration::from_secs(600);

/// What the tasks of an upstream are started with.
#[derive(Debug, Clone)]
pub(crate) struct TaskContext {
    pub(crate) events: Arc<dyn Events>,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
}

/// A session for clients of one identity.
#[derive(Debug)]
pub(crate) struct ExtraSession {
    identity: Arc<ClientProfile>,
    upstream: Upstream,
    cancel: CancellationToken,
    /// When it was last seen to be used.
    used: Instant,
}

impl ExtraSession {
    /// Whether a request is under way in it, or about to be.
    fn is_busy(&self) -> bool {
        let shared = &self.upstream.shared;
        let live_is_held = match &*shared.state.borrow() {
            State::Ready(connection) => connection.is_in_use(),
            _ => false,
        };
        // By us, and by the connection's task. Others get theirs while the list is locked.
        live_is_held || Arc::strong_count(shared) > 2
    }
}

impl Upstream {
    /// The session that serves this client, begun if there is none.
    pub(crate) fn side_session(&self, identity: &Arc<ClientProfile>) -> Self {
        let mut sides = self
            .shared
            .sides
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let serving = sides
            .iter()
            .position(|side| side.identity.shares_session(identity));
        let mut side = match serving {
            Some(found) => sides.remove(found),
            None => self.open_side(identity),
        };
        let now = Instant::now();
        side.used = now;
        let upstream = side.upstream.clone();
        // The one used last stands last.
        sides.push(side);
        self.end_unused(&mut sides, now);
        upstream
    }

    /// Ends the sessions that were unused for too long, and the one unused for longest if there are too many.
    fn end_unused(&self, sides: &mut Vec<ExtraSession>, now: Instant) {
        let busy = sides.iter_mut().filter(|side| side.is_busy());
        busy.for_each(|side| side.used = now);
        let surplus = sides.len() > MAX_SIDE_SESSIONS;
        let unused = sides.iter().position(|side| side.used < now);
        let oldest = unused
            .filter(|_| surplus)
            .map(|oldest| sides.remove(oldest));
        let idle = sides.extract_if(.., |side| now.duration_since(side.used) > MAX_IDLE);
        for side in oldest.into_iter().chain(idle) {
            debug!(upstream = %self.config().name, "ending a side session that nobody uses");
            side.cancel.cancel();
        }
    }

    fn open_side(&self, identity: &Arc<ClientProfile>) -> ExtraSession {
        let main = &self.shared;
        let mut shared = Shared::new(
            main.id,
            main.config.clone(),
            main.clients.clone(),
            main.authorizer.clone(),
            main.bounds.clone(),
            // Nobody watches it: what it offers is what the main session offers.
            Arc::new(Notify::new()),
        );
        shared.is_side = true;
        shared.read_gate = main.read_gate.clone();
        shared.concurrency = main.concurrency.clone();
        shared.log_demand = main.log_demand.clone();
        shared.brake = main.brake.clone();
        let upstream = Self {
            shared: Arc::new(shared),
            config: self.config.clone(),
            cached: self.cached.clone(),
        };
        let home = main.home.get();
        let cancel = home.map_or_else(CancellationToken::new, |home| home.cancel.child_token());
        if let Some(home) = home {
            debug!(upstream = %main.config.name, "opening a session for another client's capabilities");
            upstream.begin(home, identity, cancel.clone());
        }
        ExtraSession {
            identity: identity.clone(),
            upstream,
            cancel,
            used: Instant::now(),
        }
    }

    pub(crate) fn begin(
        &self,
        home: &TaskContext,
        identity: &Arc<ClientProfile>,
        cancel: CancellationToken,
    ) {
        let side = self.shared.is_side.then_some(true);
        let span = info_span!("upstream", name = %self.shared.config.name, side);
        self.adopt(identity);
        let connection = SessionSupervisor {
            shared: self.shared.clone(),
            events: home.events.clone(),
            tasks: home.tasks.clone(),
        };
        home.tasks.spawn(connection.run(cancel).instrument(span));
    }

    /// Has it connected for this client, anew if it was for one that declares something else: what a
    /// server lists may depend on that.
    pub fn adopt(&self, identity: &Arc<ClientProfile>) {
        self.shared.identity.send_if_modified(|current| {
            let is_other = !current.shares_session(identity);
            *current = identity.clone();
            is_other
        });
    }

    /// Whether anybody but the caller, who has one handle, may yet send a request by it.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        // The other one is the connection's task's, where there is one.
        let task = usize::from(self.shared.home.get().is_some());
        Arc::strong_count(&self.shared) > 1 + task
    }

    /// Closes its connection, and those beside it, for good.
    pub fn end(&self) {
        if let Some(home) = self.shared.home.get() {
            home.cancel.cancel();
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

    /// Whether what the server says in this session is for the client of this identity: the session that
    /// serves it, and the main one as long as none does.
    #[must_use]
    pub fn is_session_of(&self, connection: &ConnectionUse, client: &Arc<ClientProfile>) -> bool {
        let mut ready = self.sessions().into_iter().filter_map(|it| it.ready());
        match ready.find(|ready| ready.serves(client)) {
            Some(serving) => serving.is_same(connection),
            None => self.ready().is_some_and(|main| main.is_same(connection)),
        }
    }
}
