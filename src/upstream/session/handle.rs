//! One session, as everything but its supervisor sees it: a state to watch, and commands to give.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::checks::HealthChecks;
use super::command::{Command, Commands};
use super::state::{LostConnection, State};
use crate::protocol::ClientProfile;
use crate::upstream::connection::{Connection, ConnectionUse};
use crate::upstream::error::TransportError;

/// How long a call waits to learn what its server is: the three requests that it takes to find out.
const REVISION_CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// A session's state and its commands.
#[derive(Debug)]
pub(crate) struct SessionHandle {
    state: watch::Sender<State>,
    pub(crate) commands: Commands,
    pub(crate) checks: HealthChecks,
    /// The connection that was found to be gone last.
    lost: watch::Sender<LostConnection>,
    /// The client that its connections are made for.
    profile: watch::Sender<Arc<ClientProfile>>,
    /// Notified of each change of the state.
    changed: Arc<Notify>,
    leases: TaskTracker,
}

impl SessionHandle {
    /// A session that is not started yet. `changed` is notified of each change of its state.
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self {
            state: watch::Sender::new(State::Idle),
            commands: Commands::default(),
            checks: HealthChecks::default(),
            lost: watch::Sender::new(LostConnection {
                generation: 0,
                cause: TransportError::SessionExpired,
            }),
            profile: watch::Sender::default(),
            changed,
            leases: TaskTracker::new(),
        }
    }

    /// Publishes a state.
    pub(crate) fn publish(&self, state: State) {
        self.set_last_state(state);
        self.changed.notify_one();
    }

    /// Publishes the state after which there is no other. The watcher of all upstreams ends by itself.
    pub(crate) fn set_last_state(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Has whoever watches the state look at the connection again.
    pub(crate) fn republish(&self) {
        self.state.send_modify(|_| {});
    }

    /// Watches the state.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Returns the connection, if there is one.
    pub(crate) fn connection(&self) -> Option<ConnectionUse> {
        match &*self.state.borrow() {
            State::Ready(connection) => Some(connection.begin_use()),
            _ => None,
        }
    }

    /// Returns `true` if the server has sent anything since the last attempt began.
    pub(crate) fn has_responded(&self) -> bool {
        matches!(
            &*self.state.borrow(),
            State::Ready(_)
                | State::Connecting {
                    has_responded: true,
                    ..
                }
        )
    }

    /// Returns `true` if the last attempt failed.
    pub(crate) fn is_disconnected(&self) -> bool {
        matches!(&*self.state.borrow(), State::Disconnected(_))
    }

    /// Returns what the user has to do before there can be a connection, if it waits for that.
    pub(crate) fn user_action_required(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Disconnected(disconnected) if disconnected.cause.requires_user_action() => {
                Some(disconnected.cause.to_string())
            }
            _ => None,
        }
    }

    /// Returns the client that connections are made for.
    pub(crate) fn profile(&self) -> Arc<ClientProfile> {
        self.profile.borrow().clone()
    }

    /// Makes connections for this client from now on. The present one is replaced if its session cannot
    /// serve the client: what a server lists may depend on that.
    pub(crate) fn set_profile(&self, profile: &Arc<ClientProfile>) {
        self.profile.send_if_modified(|current| {
            let is_other = !current.shares_session(profile);
            *current = profile.clone();
            is_other
        });
    }

    /// Returns `true` if connections are made for what this client declares.
    pub(crate) fn will_serve(&self, profile: &ClientProfile) -> bool {
        self.profile.borrow().shares_session(profile)
    }

    /// Waits until connections are made for another client than this one.
    pub(crate) async fn wait_until_superseded(&self, connection: &Connection) {
        let mut profile = self.profile.subscribe();
        let is_other =
            |profile: &Arc<ClientProfile>| !connection.client_profile.shares_session(profile);
        // Fails never: the sender lives as long as the handle.
        let _ = profile.wait_for(is_other).await;
    }

    /// Counts this connection as lost; the first report names the cause.
    pub(crate) fn report_lost(&self, generation: u64, cause: &TransportError) {
        self.lost.send_if_modified(|lost| {
            let is_newer = lost.generation < generation;
            if is_newer {
                let cause = cause.clone();
                *lost = LostConnection { generation, cause };
            }
            is_newer
        });
    }

    /// Waits until a call finds that this connection is gone, and returns why.
    pub(crate) async fn wait_until_lost(&self, generation: u64) -> TransportError {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(|lost| lost.generation == generation).await {
            Ok(lost) => lost.cause.clone(),
            // Never: the sender lives as long as the handle.
            Err(_) => TransportError::ShuttingDown,
        }
    }

    /// Has the supervisor find out whether the server still speaks its revision, and waits for the verdict, no
    /// longer than `within`. Returns `true` if the connection of this generation is replaced.
    pub(crate) async fn wait_for_revision_check(&self, generation: u64, within: Duration) -> bool {
        let (mut state, mut confirmations) = (self.watch(), self.checks.watch_confirmations());
        self.commands.send(Command::CheckRevision);
        let is_gone = |state: &State| match state {
            State::Ready(connection) => connection.generation != generation,
            _ => true,
        };
        let verdict = async {
            tokio::select! {
                biased;
                _ = state.wait_for(is_gone) => true,
                _ = confirmations.changed() => false,
            }
        };
        timeout(within.min(REVISION_CHECK_TIMEOUT), verdict)
            .await
            .unwrap_or(false)
    }

    /// Keeps the session in use until the lease is dropped.
    pub(crate) fn lease(self: &Arc<Self>) -> SessionLease {
        SessionLease {
            session: self.clone(),
            _token: self.leases.token(),
        }
    }

    /// Returns `true` if a request is under way in the session, or about to be sent.
    pub(crate) fn is_busy(&self) -> bool {
        let is_in_use = match &*self.state.borrow() {
            State::Ready(connection) => connection.is_in_use(),
            _ => false,
        };
        is_in_use || !self.leases.is_empty()
    }
}

/// A session that a call waits in, or is about to be sent in.
#[derive(Debug)]
pub(crate) struct SessionLease {
    pub(crate) session: Arc<SessionHandle>,
    _token: TaskTrackerToken,
}
