//! The sessions with one upstream: the main session, and extra sessions for clients that it does not serve.
//!
//! A session with a legacy server is bound to the capabilities of its `initialize` request. The main session
//! is made for one client profile. A client with other capabilities gets an extra session if another client
//! needs the main session as it is. The extra session is made at the client's first call.
//!
//! A session of HTTP+SSE serves one client only. One stream carries all its responses, so a client that does
//! not read would block the responses to another.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info_span};

use super::command::{Command, Urgency};
use super::context::{SessionContext, TaskContext};
use super::extra::{ExtraSession, close_unused};
use super::handle::{SessionHandle, SessionLease};
use super::settings::UpstreamSettings;
use super::supervisor::SessionSupervisor;
use crate::protocol::{ClientProfile, LogLevel};
use crate::sync::Mutex;
use crate::upstream::connection::ConnectionUse;
use crate::upstream::connection::log_demand::LogDemandGuard;
use crate::upstream::id::ClientId;
use crate::upstream::offers::Offers;
use crate::upstream::subscription::ledger::Subscriptions;

/// All sessions with one upstream.
#[derive(Debug)]
pub struct SessionPool {
    pub(crate) settings: Arc<UpstreamSettings>,
    main: Arc<SessionHandle>,
    /// The offers that the main session fills.
    offers: Arc<Offers>,
    subscriptions: Arc<Subscriptions>,
    /// The arguments that tasks are started with; unset until the main session is started.
    tasks: OnceLock<TaskContext>,
    /// The extra sessions, the most recently used last.
    extra: Mutex<Vec<ExtraSession>>,
    /// The profiles of the clients that have opened a session.
    profiles: Mutex<Vec<(ClientId, Arc<ClientProfile>)>>,
    /// The client of the main session, if that session serves one client only.
    main_client: Mutex<Option<ClientId>>,
}

impl SessionPool {
    /// Creates a pool whose main session is not started. `changed` is notified of each of its state changes.
    pub(crate) fn new(
        settings: Arc<UpstreamSettings>,
        offers: Arc<Offers>,
        subscriptions: Arc<Subscriptions>,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            settings,
            main: Arc::new(SessionHandle::new(changed)),
            offers,
            subscriptions,
            tasks: OnceLock::new(),
            extra: Mutex::default(),
            profiles: Mutex::default(),
            main_client: Mutex::default(),
        }
    }

    /// Starts the main session for this client profile.
    pub(crate) fn start(&self, profile: &Arc<ClientProfile>, tasks: TaskContext) {
        let tasks = self.tasks.get_or_init(|| tasks);
        let name = &self.settings.config.name;
        let span = info_span!("upstream", %name, extra = tracing::field::Empty);
        self.main.set_profile(profile);
        let (offers, subscriptions) = (Some(self.offers.clone()), self.subscriptions.clone());
        let context = self.context(&self.main, tasks, offers, subscriptions);
        let run = SessionSupervisor { context }.run(tasks.cancel.clone());
        tasks.tasks.spawn(run.instrument(span));
    }

    fn context(
        &self,
        handle: &Arc<SessionHandle>,
        tasks: &TaskContext,
        offers: Option<Arc<Offers>>,
        subscriptions: Arc<Subscriptions>,
    ) -> SessionContext {
        SessionContext {
            settings: self.settings.clone(),
            handle: handle.clone(),
            offers,
            subscriptions,
            events: tasks.events.clone(),
            tasks: tasks.tasks.clone(),
        }
    }

    /// Returns the main session.
    pub(crate) fn main(&self) -> &Arc<SessionHandle> {
        &self.main
    }

    /// Sets the profile of a client that has opened a session. The main session is replaced by one for this
    /// profile, unless another client needs the main session as it is.
    pub(crate) fn set_profile(&self, client: ClientId, profile: &Arc<ClientProfile>) {
        let mut profiles = self.profiles.lock();
        profiles.retain(|(other, _)| *other != client);
        let current = self.main.profile();
        if !profiles
            .iter()
            .any(|(_, other)| other.shares_session(&current))
        {
            self.main.set_profile(profile);
        }
        profiles.push((client, profile.clone()));
    }

    /// Removes a client that has left.
    pub(crate) fn remove_client(&self, client: ClientId) {
        self.profiles.lock().retain(|(other, _)| *other != client);
        let mut main = self.main_client.lock();
        if *main == Some(client) {
            *main = None;
        }
    }

    /// Claims the main session for this client, unless another client has it. Returns `true` if this client has
    /// it now.
    pub(crate) fn claim_main(&self, client: ClientId) -> bool {
        *self.main_client.lock().get_or_insert(client) == client
    }

    /// Leases the extra session that serves a client profile. Starts it if necessary. If `client` is given, the
    /// session serves only that client.
    pub(crate) fn lease_extra(
        &self,
        client: Option<ClientId>,
        profile: &Arc<ClientProfile>,
    ) -> SessionLease {
        let mut extra = self.extra.lock();
        let serving = extra.iter().position(|session| {
            session.client == client && session.profile.shares_session(profile)
        });
        let mut session = match serving {
            Some(found) => extra.remove(found),
            None => self.start_extra(client, profile),
        };
        let now = Instant::now();
        session.last_used = now;
        let lease = session.handle.lease();
        extra.push(session);
        close_unused(&mut extra, now, &self.settings.config.name);
        lease
    }

    fn start_extra(&self, client: Option<ClientId>, profile: &Arc<ClientProfile>) -> ExtraSession {
        // No task watches the state of an extra session, since its offers are those of the main session.
        let handle = Arc::new(SessionHandle::new(Arc::default()));
        let mut cancel = CancellationToken::new();
        if let Some(tasks) = self.tasks.get() {
            let name = &self.settings.config.name;
            debug!(upstream = %name, "opening a session for another client's capabilities");
            let span = info_span!("upstream", %name, extra = true);
            handle.set_profile(profile);
            cancel = tasks.cancel.child_token();
            let context = self.context(&handle, tasks, None, Arc::default());
            let run = SessionSupervisor { context }.run(cancel.clone());
            tasks.tasks.spawn(run.instrument(span));
        }
        ExtraSession {
            client,
            profile: profile.clone(),
            handle,
            cancel,
            last_used: Instant::now(),
        }
    }

    fn sessions(&self) -> Vec<Arc<SessionHandle>> {
        let extra = self.extra.lock();
        let extra = extra.iter().map(|session| session.handle.clone());
        std::iter::once(self.main.clone()).chain(extra).collect()
    }

    /// Returns the connections of all connected sessions, the main session's first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionUse> {
        let sessions = self.sessions();
        let connections = sessions.iter().filter_map(|session| session.connection());
        connections.collect()
    }

    /// Returns `true` if notifications on this connection are for this client. That is the connection of the
    /// session that serves the client, or else of the main session.
    #[must_use]
    pub fn is_session_of(
        &self,
        connection: &ConnectionUse,
        client: ClientId,
        profile: &Arc<ClientProfile>,
    ) -> bool {
        let is_own = |connection: &ConnectionUse, owner: Option<ClientId>| {
            !connection.is_exclusive() || owner.is_none_or(|owner| owner == client)
        };
        let main = self.main.connection();
        let main = main.filter(|main| is_own(main, *self.main_client.lock()));
        let serves = |connection: &ConnectionUse| connection.serves(profile);
        let extra = || {
            let extra = self.extra.lock();
            let mut connections = extra.iter().filter_map(|session| {
                let connection = session.handle.connection()?;
                is_own(&connection, session.client).then_some(connection)
            });
            connections.find(serves)
        };
        let serving = main.clone().filter(serves).or_else(extra).or(main);
        serving.is_some_and(|serving| serving.is_same(connection))
    }

    /// Resets the retry budget, and reconnects disconnected sessions immediately. Call this after a change that
    /// may have fixed the upstream, such as a new configuration file.
    pub fn reset_budget(&self) {
        for session in self.sessions() {
            self.settings.retry_budget.reset();
            session.commands.send(Command::ResetBudget);
        }
    }

    /// Returns what the user has to do before the main session can connect, if anything.
    #[must_use]
    pub fn user_action_required(&self) -> Option<String> {
        self.main.user_action_required()
    }

    /// Requests an early attempt to connect. After that, the user is sent to a sign-in page that is still valid.
    pub fn connect_soon(&self) {
        let command = Command::Connect(Urgency::Waiting);
        self.main.commands.send(command);
    }

    /// Returns `true` if the server has sent anything since the last attempt began.
    #[must_use]
    pub fn has_responded(&self) -> bool {
        self.main.has_responded()
    }

    /// Requests logs from `level` on for a request about to be sent. Waits until the server was sent that level.
    /// A modern server reads the level in the request instead.
    pub async fn raise_level(
        &self,
        connection: &ConnectionUse,
        level: Option<LogLevel>,
    ) -> Option<LogDemandGuard> {
        let demand = &self.settings.log_demand;
        demand.raise(&connection.logs, level).await
    }

    /// Waits until all connected servers were sent the clients' log level. Times out after a few seconds.
    pub async fn wait_until_level_applied(&self) {
        let (demand, connections) = (&self.settings.log_demand, self.connections());
        let applied = connections
            .iter()
            .map(|connection| demand.wait_until_applied(&connection.logs, None));
        join_all(applied).await;
    }

    /// Returns the token that closes all sessions for good; `None` if they were not started.
    pub(crate) fn cancellation(&self) -> Option<CancellationToken> {
        Some(self.tasks.get()?.cancel.clone())
    }

    /// Spawns a background task, if the sessions were started.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks.get() {
            tasks.tasks.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests;
