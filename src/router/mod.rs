//! Routes the messages of clients to upstreams by the catalog.
//!
//! The router tracks the requests in flight, and translates between the eras of client and upstream.
//!
//! The process has one [`Router`]. Each client has a [`Client`] of that router.

mod call;
mod client;
mod client_notifications;
mod close;
mod context;
mod dispatch;
mod forward;
mod methods;
mod reload;
mod sessions;
mod tool_changes;
mod upstream_events;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::CatalogView;
use crate::config::Limits;
use crate::protocol::Era;
use crate::upstream::{Registry, Upstream};
use crate::wire::Message;

pub use client::outbox::{Outbox, QueuedLines};
use context::Context;
use context::capabilities;
use context::gateway::Gateway;
pub(crate) use dispatch::is_known_method;
use sessions::Sessions;
use upstream_events::Fanout;

/// Routes messages between the clients of this process and the upstreams.
#[derive(Debug)]
pub struct Router {
    gateway: Arc<Gateway>,
    sessions: Arc<Sessions>,
}

impl Router {
    /// Creates a router without connections. `limits` apply to each client.
    #[must_use]
    pub fn new(
        upstreams: Registry,
        view: watch::Receiver<CatalogView>,
        limits: Limits,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        let sessions = Arc::<Sessions>::default();
        let gateway = Gateway::new(upstreams, view, limits, tasks, cancel, |gateway| {
            Arc::new(Fanout::new(gateway.clone(), sessions.clone()))
        });
        Arc::new(Self { gateway, sessions })
    }

    /// Opens the session of a client. Lines for the client go to `outbox`.
    #[must_use]
    pub fn open_client(&self, outbox: Outbox) -> Client {
        let session = self.sessions.open(&self.gateway, outbox);
        let gateway = self.gateway.clone();
        Client {
            context: Context { gateway, session },
            sessions: self.sessions.clone(),
        }
    }

    /// Replaces all upstreams. Returns when requests are routed to the new ones.
    pub async fn replace_upstreams(&self, upstreams: Vec<Upstream>) {
        reload::replace_upstreams(&self.gateway, &self.sessions, upstreams).await;
    }

    /// Cancels all requests in flight at their upstreams, and ends the clients' subscriptions. Takes at most
    /// `grace`.
    pub async fn shut_down(&self, grace: Duration) {
        let all = self.sessions.all();
        let ends = all.iter().map(|open| async {
            close::end_requests(&open.context(&self.gateway)).await;
        });
        let _ = timeout(grace, join_all(ends)).await;
        for open in all.iter() {
            self.sessions.remove(&open.session);
        }
    }
}

/// One client of a router. Dropping this removes the client.
#[derive(Debug)]
pub struct Client {
    context: Context,
    sessions: Arc<Sessions>,
}

impl Client {
    /// Connects to all upstreams on behalf of the client that sent this request. Later calls do nothing.
    /// Upstreams are not connected before a first request: clients may start a server and never use it.
    pub fn start_upstreams(&self, request: &Message, client: Era) {
        let Context { gateway, session } = &self.context;
        if !session.mark_started() {
            return;
        }
        let caller = session.profiles.caller_of(request, client);
        gateway.start_upstreams_once(&caller.profile);
        let announcing = tool_changes::announce_tool_changes(self.context.clone());
        let cancel = session.cancel.clone();
        gateway.tasks.spawn(async move {
            cancel.run_until_cancelled(announcing).await;
        });
    }

    /// Opens the session that this `initialize` requests. Its declarations apply to all legacy requests of the
    /// client.
    pub fn open_session(&self, initialize: &Message) {
        let Context { gateway, session } = &self.context;
        let profile = session.profiles.open_session(initialize);
        for upstream in gateway.upstreams.all().iter() {
            upstream.set_client_profile(session.id, &profile);
            upstream.set_level(session.id, None);
        }
    }

    /// Records that the client has sent `notifications/initialized` and accepts notifications.
    pub fn mark_initialized(&self) {
        self.context.session.mark_initialized();
    }

    /// The capabilities for a client of this era, merged from the upstreams with a known profile.
    #[must_use]
    pub fn capabilities(&self, client: Era) -> Value {
        capabilities::declared_capabilities(&self.context.gateway, client)
    }

    /// The merged `tasks` capability of the upstreams. `None` if no upstream has tasks.
    #[must_use]
    pub fn tasks_capability(&self) -> Option<Value> {
        capabilities::tasks_capability(&self.context.gateway)
    }

    /// The merged instructions of the upstreams with a known profile.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        capabilities::merged_instructions(&self.context.gateway)
    }

    /// Routes a request that the proxy does not answer itself. The request's task sends the response.
    pub async fn route(&self, request: Message, client: Era) {
        dispatch::dispatch(&self.context, request, client).await;
    }

    /// Cancels the request that the client has cancelled (MCP § Cancellation). No response follows.
    pub fn cancel_request(&self, notification: &Message) {
        client_notifications::cancel_request(&self.context, notification);
    }

    /// Forwards a notification of the client to the upstreams that may know it.
    pub fn forward_to_upstreams(&self, notification: &Message) {
        client_notifications::forward_to_upstreams(&self.context, notification);
    }

    /// Returns the client's response to the upstream or call that sent the server request.
    pub fn on_response(&self, response: &Message) {
        forward::server_requests::on_response(&self.context, response);
    }

    /// Closes this client's session while other clients go on: cancels its requests, for at most `grace`.
    pub async fn close(self, grace: Duration) {
        let _ = timeout(grace, close::close(&self.context)).await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let session = &self.context.session;
        self.sessions.remove(session);
        session.cancel.cancel();
        for upstream in self.context.gateway.upstreams.all().iter() {
            upstream.remove_client(session.id);
        }
    }
}
