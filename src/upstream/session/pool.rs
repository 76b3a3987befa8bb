//! The sessions with one upstream: the main one, and extra ones for clients that it does not serve.
//!
//! A session with a legacy upstream is bound to what its client declared in `initialize`. The main session is
//! made for one profile; a client that declares something else, while another client needs the main session
//! as it is, gets an extra session when its first call needs one. A session that carries everything on one
//! stream serves one client alone: what that client does not read would keep another waiting.

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
    /// What the main session fills.
    offers: Arc<Offers>,
    subscriptions: Arc<Subscriptions>,
    /// What tasks are started with, once they are.
    tasks: OnceLock<TaskContext>,
    /// The one used last stands last.
    extra: Mutex<Vec<ExtraSession>>,
    /// The profiles of the clients that have opened a session.
    profiles: Mutex<Vec<(ClientId, Arc<ClientProfile>)>>,
    /// The client of the main session, where that serves one client alone.
    main_client: Mutex<Option<ClientId>>,
}

impl SessionPool {
    /// A pool without a session. `changed` is notified of each change of the main session's state.
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

    /// Starts the main session, for this profile.
    pub(crate) fn start(&self, profile: &Arc<ClientProfile>, tasks: TaskContext) {
        let tasks = self.tasks.get_or_init(|| tasks);
        let name = &self.settings.config.name;
        let span = info_span!("upstream", %name, side = tracing::field::Empty);
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

    /// The client has opened a session. The main session is made anew for its profile, unless another client
    /// needs it as it is.
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

    /// The client has left.
    pub(crate) fn remove_client(&self, client: ClientId) {
        self.profiles.lock().retain(|(other, _)| *other != client);
        let mut main = self.main_client.lock();
        if *main == Some(client) {
            *main = None;
        }
    }

    /// Makes the main session this client's, unless it is another's. Returns whether it is the client's then.
    pub(crate) fn claim_main(&self, client: ClientId) -> bool {
        *self.main_client.lock().get_or_insert(client) == client
    }

    /// Returns the extra session that serves a client of this profile, started if there is none. It is for
    /// `client` alone, if there is one.
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
        // What an extra session offers is what the main session offers: no task watches its state.
        let handle = Arc::new(SessionHandle::new(Arc::default()));
        let mut cancel = CancellationToken::new();
        if let Some(tasks) = self.tasks.get() {
            let name = &self.settings.config.name;
            debug!(upstream = %name, "opening a session for another client's capabilities");
            let span = info_span!("upstream", %name, side = true);
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

    /// Returns the connections that there are: that of the main session first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionUse> {
        let sessions = self.sessions();
        let connections = sessions.iter().filter_map(|session| session.connection());
        connections.collect()
    }

    /// Returns `true` if what the server sends on this connection is for this client: on that of the
    /// session that serves it, and on that of the main one as long as none does.
    #[must_use]
    pub fn is_session_of(
        &self,
        connection: &ConnectionUse,
        client: ClientId,
        profile: &Arc<ClientProfile>,
    ) -> bool {
        let is_own = |connection: &ConnectionUse, of: Option<ClientId>| {
            !connection.is_exclusive() || of.is_none_or(|of| of == client)
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

    /// Connects each session at once that is disconnected, with all attempts back. Call this after a change that
    /// may have fixed the upstream, such as a new configuration file.
    pub fn reset_budget(&self) {
        for session in self.sessions() {
            self.settings.retry_budget.reset();
            session.commands.send(Command::ResetBudget);
        }
    }

    /// Returns what the user has to do before the main session can be used, if it waits for that.
    #[must_use]
    pub fn user_action_required(&self) -> Option<String> {
        self.main.user_action_required()
    }

    /// Makes the next attempt to connect soon, so that a user is sent to a page that leads somewhere.
    pub fn connect_soon(&self) {
        let command = Command::Connect(Urgency::Waiting);
        self.main.commands.send(command);
    }

    /// Returns `true` if the server has sent anything since the last attempt began.
    #[must_use]
    pub fn has_responded(&self) -> bool {
        self.main.has_responded()
    }

    /// Asks for the logs of a request about to be sent, from `level` on, and waits until the server was
    /// sent that level. A modern server reads the level in the request.
    pub async fn raise_level(
        &self,
        connection: &ConnectionUse,
        level: Option<LogLevel>,
    ) -> Option<LogDemandGuard> {
        let demand = &self.settings.log_demand;
        demand.raise(&connection.logs, level).await
    }

    /// Waits until all connected servers were sent the clients' level, or a while has passed.
    pub async fn wait_until_level_applied(&self) {
        let (demand, connections) = (&self.settings.log_demand, self.connections());
        let applied = connections
            .iter()
            .map(|connection| demand.wait_until_applied(&connection.logs, None));
        join_all(applied).await;
    }

    /// Returns what closes all sessions for good, once they were started.
    pub(crate) fn cancellation(&self) -> Option<CancellationToken> {
        Some(self.tasks.get()?.cancel.clone())
    }

    /// Runs this beside everything else.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks.get() {
            tasks.tasks.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests;
