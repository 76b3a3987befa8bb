//! One message in, the right upstream out: routes calls by the catalog, keeps account of what is
//! in flight, and translates between the eras of client and upstream.
//!
//! The process has one [`Router`], and each of its clients a [`Client`] of it.

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
    /// Creates a router that has not connected to anything yet. `limits` bound what it holds for a client.
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

    /// Opens the session of a client whose lines go to `outbox`.
    #[must_use]
    pub fn open_client(&self, outbox: Outbox) -> Client {
        let session = self.sessions.open(&self.gateway, outbox);
        let gateway = self.gateway.clone();
        Client {
            context: Context { gateway, session },
            sessions: self.sessions.clone(),
        }
    }

    /// Replaces all upstreams. Returns when the new ones serve.
    pub async fn replace_upstreams(&self, upstreams: Vec<Upstream>) {
        reload::replace_upstreams(&self.gateway, &self.sessions, upstreams).await;
    }

    /// Cancels everything that is in flight, and notifies the upstreams, and the clients of the end of their
    /// subscriptions, for at most `grace`.
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

/// One client of a router. The client leaves when this is dropped.
#[derive(Debug)]
pub struct Client {
    context: Context,
    sessions: Arc<Sessions>,
}

impl Client {
    /// Connects to all upstreams on behalf of the client that sent this request. Only the first
    /// call does anything: clients may start a server and never send to it, and then nothing
    /// is connected.
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

    /// Opens the session that this `initialize` requests: what it declares holds for all legacy requests of
    /// the client.
    pub fn open_session(&self, initialize: &Message) {
        let Context { gateway, session } = &self.context;
        let profile = session.profiles.open_session(initialize);
        for upstream in gateway.upstreams.all().iter() {
            upstream.set_client_profile(session.id, &profile);
            upstream.set_level(session.id, None);
        }
    }

    /// Records that the client has opened its session and can be sent notifications.
    pub fn mark_initialized(&self) {
        self.context.session.mark_initialized();
    }

    /// The capabilities for a client of this era, as far as the upstreams are known now.
    #[must_use]
    pub fn capabilities(&self, client: Era) -> Value {
        capabilities::declared_capabilities(&self.context.gateway, client)
    }

    /// The merged `tasks` capability of the upstreams; `None` if no upstream has any.
    #[must_use]
    pub fn tasks_capability(&self) -> Option<Value> {
        capabilities::tasks_capability(&self.context.gateway)
    }

    /// The merged instructions of the upstreams, as far as they are known now.
    #[must_use]
    pub fn instructions(&self) -> Option<String> {
        capabilities::merged_instructions(&self.context.gateway)
    }

    /// Serves a request that is not for the proxy itself. Its answer goes to the client by itself.
    pub async fn route(&self, request: Message, client: Era) {
        dispatch::dispatch(&self.context, request, client).await;
    }

    /// Cancels the request that the client has cancelled (MCP § Cancellation). No reply follows.
    pub fn cancel_request(&self, notification: &Message) {
        client_notifications::cancel_request(&self.context, notification);
    }

    /// Forwards a notification of the client to the upstreams.
    pub fn forward_to_upstreams(&self, notification: &Message) {
        client_notifications::forward_to_upstreams(&self.context, notification);
    }

    /// Takes the client's answer to a server request.
    pub fn on_response(&self, response: &Message) {
        forward::server_requests::on_response(&self.context, response);
    }

    /// Ends the client's part while others go on: cancels what is in flight for it, for at most `grace`.
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
