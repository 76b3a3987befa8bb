//! The handle of one session: its state to watch, and commands to its supervisor.

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

/// How long a call waits for a revision check, which takes up to three requests.
const REVISION_CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// A session's state and its commands.
#[derive(Debug)]
pub(crate) struct SessionHandle {
    state: watch::Sender<State>,
    pub(crate) commands: Commands,
    pub(crate) checks: HealthChecks,
    /// The last connection that was reported as lost.
    lost: watch::Sender<LostConnection>,
    /// The client profile that connections are made for.
    profile: watch::Sender<Arc<ClientProfile>>,
    /// Notified of each state change.
    changed: Arc<Notify>,
    leases: TaskTracker,
}

impl SessionHandle {
    /// Creates a session that is not started yet. `changed` is notified of each state change.
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

    /// Publishes the final state. Does not notify `changed`, since its receiver ends at shutdown by itself.
    pub(crate) fn set_last_state(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Wakes all watchers of the state, so that they check the connection again.
    pub(crate) fn republish(&self) {
        self.state.send_modify(|_| {});
    }

    /// Watches the state.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Returns the connection, if the session is connected.
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

    /// Returns `true` if the last attempt has failed.
    pub(crate) fn is_disconnected(&self) -> bool {
        matches!(&*self.state.borrow(), State::Disconnected(_))
    }

    /// Returns what the user has to do before the session can connect, if anything.
    pub(crate) fn user_action_required(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Disconnected(disconnected) if disconnected.cause.requires_user_action() => {
                Some(disconnected.cause.to_string())
            }
            _ => None,
        }
    }

    /// Returns the client profile that connections are made for.
    pub(crate) fn profile(&self) -> Arc<ClientProfile> {
        self.profile.borrow().clone()
    }

    /// Makes connections for this client profile from now on. Replaces the present connection if its session
    /// cannot serve the profile, since a server's listing may depend on the profile.
    pub(crate) fn set_profile(&self, profile: &Arc<ClientProfile>) {
        self.profile.send_if_modified(|current| {
            let is_other = !current.shares_session(profile);
            *current = profile.clone();
            is_other
        });
    }

    /// Returns `true` if connections are made for this profile, or for one with equal capabilities.
    pub(crate) fn will_serve(&self, profile: &ClientProfile) -> bool {
        self.profile.borrow().shares_session(profile)
    }

    /// Waits until connections are made for a profile that this connection's session cannot serve.
    pub(crate) async fn wait_until_superseded(&self, connection: &Connection) {
        let mut profile = self.profile.subscribe();
        let is_other =
            |profile: &Arc<ClientProfile>| !connection.client_profile.shares_session(profile);
        // Never fails: the sender lives as long as the handle.
        let _ = profile.wait_for(is_other).await;
    }

    /// Reports the connection of this generation as lost. The first report sets the cause.
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

    /// Waits until a call reports the connection of this generation as lost, and returns the cause.
    pub(crate) async fn wait_until_lost(&self, generation: u64) -> TransportError {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(|lost| lost.generation == generation).await {
            Ok(lost) => lost.cause.clone(),
            // Never happens: the sender lives as long as the handle.
            Err(_) => TransportError::ShuttingDown,
        }
    }

    /// Requests a revision check, and waits for the result no longer than `within`. Returns `true` if the
    /// connection of this generation is replaced.
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

    /// Returns `true` if a request in the session is in flight or about to be sent.
    pub(crate) fn is_busy(&self) -> bool {
        let is_in_use = match &*self.state.borrow() {
            State::Ready(connection) => connection.is_in_use(),
            _ => false,
        };
        is_in_use || !self.leases.is_empty()
    }
}

/// Keeps a session in use by a call that waits or is about to be sent.
#[derive(Debug)]
pub(crate) struct SessionLease {
    pub(crate) session: Arc<SessionHandle>,
    _token: TaskTrackerToken,
}
