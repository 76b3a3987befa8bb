//! An established connection: the server as the handshake found it, and the transport to it.

pub(crate) mod event_handler;
pub(crate) mod inbox;
pub(crate) mod log_demand;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::error::TransportError;
use super::flow::request_context::RequestContext;
use super::transport::Transport;
use super::transport::exchange::Exchange;
use super::transport::request_id::next_id;
use crate::net::Clients;
use crate::protocol::{ClientProfile, Era, Request, ServerProfile};
use crate::wire::Message;
use inbox::ServerRequestInboxes;
use log_demand::ConnectionLogs;

/// How long the first call waits for the standalone stream of its session, counted from the
/// handshake: some servers answer the request for it only when they have something to say.
const EVENT_STREAM_WAIT: Duration = Duration::from_secs(1);

/// How long a connection must last to count as stable, if no call proves it: what accepts
/// connections and dies of them, dies sooner.
pub(crate) const STABLE: Duration = Duration::from_secs(30);

/// An established connection to an upstream.
///
/// Its supervisor holds the connection itself; every other user holds a [`ConnectionUse`].
#[derive(Debug)]
pub struct Connection {
    /// Counts the connections of one session.
    pub(crate) generation: u64,
    /// The server as the handshake found it.
    pub profile: Arc<ServerProfile>,
    /// The client that the handshake named.
    pub client_profile: Arc<ClientProfile>,
    /// The calls through which the server can ask a client that reads nothing but responses.
    pub inboxes: ServerRequestInboxes,
    /// Which logs the requests under way ask for, and the level that the server was sent.
    pub logs: Arc<ConnectionLogs>,
    /// Whether the server can send messages that belong to no request, or never will.
    event_stream_ready: watch::Sender<bool>,
    established_at: Instant,
    /// How often the process had resumed from suspend when the connection was last known to work.
    verified_at: AtomicU64,
    /// Whether the server has answered a call.
    pub(crate) healthy: Arc<AtomicBool>,
    pub(crate) transport: Transport,
    uses: TaskTracker,
}

/// A connection in use. The session is not closed before the last use of its connection is dropped.
#[derive(Debug, Clone)]
pub struct ConnectionUse {
    connection: Arc<Connection>,
    _token: TaskTrackerToken,
}

impl ConnectionUse {
    /// Returns `true` if both are uses of one connection.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.connection, &other.connection)
    }
}

impl Deref for ConnectionUse {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Connection {
    pub(crate) fn new(
        generation: u64,
        profile: ServerProfile,
        transport: Transport,
        client_profile: &Arc<ClientProfile>,
    ) -> Self {
        let is_ready = !matches!(transport, Transport::StreamableHttpLegacy(_));
        let uses = TaskTracker::new();
        // So that waiting for the last use ends with it.
        uses.close();
        Self {
            generation,
            logs: Arc::new(ConnectionLogs::new(&profile)),
            profile: Arc::new(profile),
            client_profile: client_profile.clone(),
            inboxes: ServerRequestInboxes::default(),
            event_stream_ready: watch::Sender::new(is_ready),
            established_at: Instant::now(),
            verified_at: AtomicU64::default(),
            healthy: Arc::default(),
            transport,
            uses,
        }
    }

    /// Returns a use of the connection.
    pub(crate) fn begin_use(self: &Arc<Self>) -> ConnectionUse {
        ConnectionUse {
            connection: self.clone(),
            _token: self.uses.token(),
        }
    }

    /// Returns `true` if a request is under way on the connection, or about to be sent.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.uses.is_empty()
    }

    /// Waits until the last use is dropped.
    pub(crate) async fn wait_until_unused(&self) {
        self.uses.wait().await;
    }

    /// Returns `true` if the connection has proved that the server can be used: a call was answered,
    /// or the connection has lasted for a while.
    pub(crate) fn is_stable(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) || self.established_at.elapsed() >= STABLE
    }

    /// The connection works, or was made, after the process has resumed `resumes` times.
    pub(crate) fn mark_verified(&self, resumes: u64) {
        self.verified_at.store(resumes, Ordering::Relaxed);
    }

    /// Returns `true` if the connection is known to work since the process resumed for the `resumes`th time.
    pub(crate) fn is_verified_since(&self, resumes: u64) -> bool {
        self.verified_at.load(Ordering::Relaxed) == resumes
    }

    /// Returns `true` if suspend cannot have broken the connection. The stream of HTTP+SSE may have
    /// died without a sign, and with it every answer; elsewhere, each request finds out for itself.
    pub(crate) fn is_usable_after_suspend(&self, http_clients: &Clients) -> bool {
        !matches!(self.transport, Transport::HttpSse(_))
            || self.is_verified_since(http_clients.resume_count())
    }

    /// The standalone stream is open, or the server has none.
    pub(crate) fn mark_event_stream_ready(&self) {
        self.event_stream_ready.send_replace(true);
    }

    /// Waits a moment for the standalone stream, if the client can be asked: servers ask on it,
    /// and some forget what they asked before it was there.
    pub(crate) async fn wait_for_event_stream(&self, client_profile: &ClientProfile) {
        if *self.event_stream_ready.borrow() || !client_profile.supports_server_requests() {
            return;
        }
        let left = EVENT_STREAM_WAIT.saturating_sub(self.established_at.elapsed());
        let mut ready = self.event_stream_ready.subscribe();
        // Boxed: it is large, and on the path of every call.
        let _ = Box::pin(timeout(left, ready.wait_for(|ready| *ready))).await;
    }

    /// Sends a request of our own and waits for its response.
    ///
    /// # Errors
    /// [`TransportError`]; a JSON-RPC error is a response.
    pub(crate) async fn request(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Message, TransportError> {
        // Boxed: a connection asks now and then, in several tasks of its own at once.
        let exchange = Box::pin(self.start_request(method, params)).await?;
        Box::pin(exchange.response()).await
    }

    /// Sends a request of our own.
    pub(crate) async fn start_request(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Exchange, TransportError> {
        let request = self.own_request(method, params);
        let context = RequestContext::default();
        self.transport.send(&request, &context).await
    }

    /// Returns the transport's name: `http` (Streamable HTTP) or `sse` (HTTP+SSE).
    #[must_use]
    pub fn transport(&self) -> &'static str {
        match self.transport {
            Transport::StreamableHttp(_) | Transport::StreamableHttpLegacy(_) => "http",
            Transport::HttpSse(_) => "sse",
        }
    }

    /// Returns `true` if calls of this client can go by the connection. A session of the legacy era is
    /// bound to what its client declared; a modern server reads it in every request.
    #[must_use]
    pub fn serves(&self, client_profile: &Arc<ClientProfile>) -> bool {
        self.profile.era == Era::Modern
            || Arc::ptr_eq(&self.client_profile, client_profile)
            || self.client_profile.shares_session(client_profile)
    }

    /// Returns `true` if one client alone can use the connection, since one stream carries everything on it:
    /// while one client does not read, the answers to another would wait behind those to the first.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.transport, Transport::HttpSse(_))
    }

    /// Returns `true` if the server declares that it sends updates of single resources.
    pub(crate) fn supports_subscriptions(&self) -> bool {
        let declared = self.profile.capabilities.get("resources");
        declared.is_some_and(|declared| declared["subscribe"] == true)
    }

    /// Returns a request of our own in the server's era.
    pub(crate) fn own_request(&self, method: &'static str, mut params: Value) -> Request {
        if self.profile.era == Era::Modern {
            let meta = format!("{{{}}}", self.client_profile.meta_members());
            params["_meta"] = serde_json::from_str(&meta).unwrap_or_default();
        }
        Request::from_proxy(next_id(), method, &params)
    }

    /// Sends a notification of the legacy era, or a response. A modern upstream gets neither:
    /// none is defined for it (MCP 2026-07-28 § Sending Messages).
    ///
    /// # Errors
    /// [`TransportError`], when it was not delivered.
    pub async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        match self.profile.era {
            Era::Modern => Ok(()),
            Era::Legacy => self.transport.notify(body).await,
        }
    }

    /// Sends a notification that MCP does not know, whatever the server's era.
    ///
    /// # Errors
    /// [`TransportError`], when it was not delivered.
    pub async fn notify_any_revision(&self, body: Bytes) -> Result<(), TransportError> {
        self.transport.notify(body).await
    }
}
