//! An established connection: the server's profile from the handshake, and the transport.

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

/// How long the first call waits for the standalone event stream of its session, counted from the
/// handshake. Some servers respond to the GET only when they have something to send.
const EVENT_STREAM_WAIT: Duration = Duration::from_secs(1);

/// How long a connection without a successful call must last to count as stable. A server that crashes on
/// connections crashes sooner.
pub(crate) const STABLE: Duration = Duration::from_secs(30);

/// An established connection to an upstream.
///
/// The supervisor holds the connection itself; everything else holds a [`ConnectionUse`].
#[derive(Debug)]
pub struct Connection {
    /// The number of this connection within its session.
    pub(crate) generation: u64,
    /// The server's profile, from the handshake.
    pub server_profile: Arc<ServerProfile>,
    /// The profile of the client that the handshake declared.
    pub client_profile: Arc<ClientProfile>,
    /// The inboxes of the calls that can pass server requests to a modern client.
    pub inboxes: ServerRequestInboxes,
    /// The log levels that requests in progress ask for, and the level that the server was sent.
    pub logs: Arc<ConnectionLogs>,
    /// Whether the standalone event stream is open, or the server has none.
    event_stream_ready: watch::Sender<bool>,
    established_at: Instant,
    /// The process's resume count when the connection was last known to work.
    verified_at: AtomicU64,
    /// Whether the server has responded to a call.
    pub(crate) healthy: Arc<AtomicBool>,
    pub(crate) transport: Transport,
    uses: TaskTracker,
}

/// One use of a connection. The session stays open until the last use of its connection is dropped.
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
        // A closed tracker lets `wait_until_unused` return after the last use.
        uses.close();
        Self {
            generation,
            logs: Arc::new(ConnectionLogs::new(&profile)),
            server_profile: Arc::new(profile),
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

    /// Begins a use of the connection, which ends when it is dropped.
    pub(crate) fn begin_use(self: &Arc<Self>) -> ConnectionUse {
        ConnectionUse {
            connection: self.clone(),
            _token: self.uses.token(),
        }
    }

    /// Returns `true` if a request on the connection is in progress, or about to be sent.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.uses.is_empty()
    }

    /// Waits until the last use is dropped.
    pub(crate) async fn wait_until_unused(&self) {
        self.uses.wait().await;
    }

    /// Returns `true` if the server has responded to a call, or the connection has lasted for [`STABLE`].
    pub(crate) fn is_stable(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) || self.established_at.elapsed() >= STABLE
    }

    /// Records that the connection works, or was made, after the process has resumed `resumes` times.
    pub(crate) fn mark_verified(&self, resumes: u64) {
        self.verified_at.store(resumes, Ordering::Relaxed);
    }

    /// Returns `true` if the connection is known to work since the process resumed for the `resumes`th time.
    pub(crate) fn is_verified_since(&self, resumes: u64) -> bool {
        self.verified_at.load(Ordering::Relaxed) == resumes
    }

    /// Returns `true` if the connection can be used after the process resumed from suspend.
    ///
    /// The stream of HTTP+SSE can break unnoticed, and with it every response, so it must be verified first. With the
    /// other transports, each request detects a broken connection itself.
    pub(crate) fn is_usable_after_suspend(&self, http_clients: &Clients) -> bool {
        !matches!(self.transport, Transport::HttpSse(_))
            || self.is_verified_since(http_clients.resume_count())
    }

    /// Records that the standalone event stream is open, or that the server has none.
    pub(crate) fn mark_event_stream_ready(&self) {
        self.event_stream_ready.send_replace(true);
    }

    /// Waits at most [`EVENT_STREAM_WAIT`] for the standalone event stream, if the client accepts server requests.
    /// Servers send them on that stream, and some lose those that they send before it is open.
    pub(crate) async fn wait_for_event_stream(&self, client_profile: &ClientProfile) {
        if *self.event_stream_ready.borrow() || !client_profile.supports_server_requests() {
            return;
        }
        let left = EVENT_STREAM_WAIT.saturating_sub(self.established_at.elapsed());
        let mut ready = self.event_stream_ready.subscribe();
        // Boxed: it is large, and on the path of every call.
        let _ = Box::pin(timeout(left, ready.wait_for(|ready| *ready))).await;
    }

    /// Sends one of the proxy's own requests and waits for its response.
    ///
    /// # Errors
    /// [`TransportError`]; a JSON-RPC error is a response.
    pub(crate) async fn request(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Message, TransportError> {
        // Boxed: it is large, rarely used, and part of several tasks of a connection.
        let exchange = Box::pin(self.start_request(method, params)).await?;
        Box::pin(exchange.response()).await
    }

    /// Sends one of the proxy's own requests.
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

    /// Returns `true` if the connection can carry calls of this client.
    ///
    /// A legacy session is bound to the capabilities that its client declared. A modern server reads them in every
    /// request.
    #[must_use]
    pub fn serves(&self, client_profile: &Arc<ClientProfile>) -> bool {
        self.server_profile.era == Era::Modern
            || Arc::ptr_eq(&self.client_profile, client_profile)
            || self.client_profile.shares_session(client_profile)
    }

    /// Returns `true` if only one client can use the connection, because one stream carries all its messages.
    /// While one client does not read, the responses to another would wait behind those to the first.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.transport, Transport::HttpSse(_))
    }

    /// Returns `true` if the server declares support for resource subscriptions.
    pub(crate) fn supports_subscriptions(&self) -> bool {
        let declared = self.server_profile.capabilities.get("resources");
        declared.is_some_and(|declared| declared["subscribe"] == true)
    }

    /// Returns one of the proxy's own requests, in the server's era.
    pub(crate) fn own_request(&self, method: &'static str, mut params: Value) -> Request {
        if self.server_profile.era == Era::Modern {
            let meta = format!("{{{}}}", self.client_profile.meta_members());
            params["_meta"] = serde_json::from_str(&meta).unwrap_or_default();
        }
        Request::from_proxy(next_id(), method, &params)
    }

    /// Sends a notification of the legacy era, or a response, to a legacy server. Does nothing for a modern
    /// server: neither is defined for it (MCP 2026-07-28 § Sending Messages).
    ///
    /// # Errors
    /// [`TransportError`], when the message was not delivered.
    pub async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        match self.server_profile.era {
            Era::Modern => Ok(()),
            Era::Legacy => self.transport.notify(body).await,
        }
    }

    /// Sends a notification that MCP does not define, to a server of either era.
    ///
    /// # Errors
    /// [`TransportError`], when the notification was not delivered.
    pub async fn notify_any_revision(&self, body: Bytes) -> Result<(), TransportError> {
        self.transport.notify(body).await
    }
}
