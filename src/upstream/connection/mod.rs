//! An upstream as the handshake found it.

pub(crate) mod events;
pub(crate) mod inbox;
pub(crate) mod log_demand;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::error::TransportError;
use super::flow::deadline::Activity;
use super::transport::Transport;
use super::transport::exchange::Exchange;
use crate::net::Clients;
use crate::protocol::ClientProfile;
use crate::protocol::Era;
use crate::protocol::Request;
use crate::protocol::ServerProfile;
use crate::upstream::transport::request_id::next_id;
use crate::wire::Message;
use inbox::ServerRequestInboxes;
use log_demand::ConnectionLogs;

/// How long the first call waits for the standalone stream of its session, counted from the
/// handshake: some servers answer the request for it only when they have something to say.
const LISTEN_WAIT: Duration = Duration::from_secs(1);

/// How long a connection must last to count as one that holds, if no call proves it: what accepts
/// connections and dies of them, dies sooner.
pub(crate) const HELD: Duration = Duration::from_secs(30);

/// A connected upstream.
#[derive(Debug)]
pub struct Connection {
    /// Counts the connections of this upstream.
    pub(crate) generation: u64,
    /// What the handshake found.
    pub profile: Arc<ServerProfile>,
    /// Whom it was told that we speak for.
    pub identity: Arc<ClientProfile>,
    /// The calls through which it can ask a client that hears only answers.
    pub callers: ServerRequestInboxes,
    /// How much it is to log, and for which requests.
    pub logs: ConnectionLogs,
    /// Whether it can say something outside the answers to requests, or never will.
    listened: watch::Sender<bool>,
    begun: Instant,
    /// How often the process had woken up when it was known to work.
    woken: AtomicU64,
    /// Whether it has answered a call.
    pub(crate) proven: Arc<AtomicBool>,
    pub(crate) transport: Transport,
}

impl Connection {
    pub(crate) fn new(
        generation: u64,
        profile: ServerProfile,
        transport: Transport,
        identity: &Arc<ClientProfile>,
    ) -> Self {
        Self {
            generation,
            profile: Arc::new(profile),
            identity: identity.clone(),
            callers: ServerRequestInboxes::default(),
            logs: ConnectionLogs::default(),
            listened: watch::Sender::new(!matches!(transport, Transport::StreamableHttpLegacy(_))),
            begun: Instant::now(),
            woken: AtomicU64::default(),
            proven: Arc::default(),
            transport,
        }
    }

    /// Whether it has held: it has answered a call, or was there for a while.
    pub(crate) fn has_held(&self) -> bool {
        self.proven.load(Ordering::Relaxed) || self.begun.elapsed() >= HELD
    }

    /// It was looked after since the process woke up for the `times`th time, or made.
    pub(crate) fn looked_after(&self, times: u64) {
        self.woken.store(times, Ordering::Relaxed);
    }

    /// Whether it was, if the process has woken up so many times.
    pub(crate) fn is_looked_after(&self, times: u64) -> bool {
        self.woken.load(Ordering::Relaxed) == times
    }

    /// Whether a request can be sent on it, as far as sleep is concerned. The stream of HTTP+SSE may have
    /// died without a word, and with it every answer; elsewhere, each request finds out for itself.
    pub(crate) fn is_awake(&self, clients: &Clients) -> bool {
        !matches!(self.transport, Transport::HttpSse(_))
            || self.is_looked_after(clients.resume_count())
    }

    /// Its standalone stream is open, or it has none.
    pub(crate) fn listened(&self) {
        self.listened.send_replace(true);
    }

    /// Waits a moment for the standalone stream, for a client that can be asked: servers ask on it,
    /// and some forget what they asked before it was there.
    pub(crate) async fn hear_first(&self, identity: &ClientProfile) {
        if *self.listened.borrow() || !identity.can_be_asked() {
            return;
        }
        let left = LISTEN_WAIT.saturating_sub(self.begun.elapsed());
        let mut listened = self.listened.subscribe();
        // Boxed: it is large, and on the path of every call.
        let _ = Box::pin(timeout(left, listened.wait_for(|listened| *listened))).await;
    }

    /// Sends a request of our own and waits for its response.
    ///
    /// # Errors
    /// [`TransportError`]; a JSON-RPC error is a response.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Message, TransportError> {
        // Boxed: a connection asks now and then, in several tasks of its own at once.
        let exchange = Box::pin(self.open(method, params)).await?;
        Box::pin(exchange.response()).await
    }

    /// Sends a request of our own.
    pub(crate) async fn open(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Exchange, TransportError> {
        let request = self.ours(method, params);
        self.transport.send(&request, &Activity::default()).await
    }

    /// How it is spoken to: `http` (Streamable HTTP) or `sse` (HTTP+SSE).
    #[must_use]
    pub fn transport(&self) -> &'static str {
        match self.transport {
            Transport::StreamableHttp(_) | Transport::StreamableHttpLegacy(_) => "http",
            Transport::HttpSse(_) => "sse",
        }
    }

    /// Whether it can be used for this client. A session of the legacy era is bound to what its
    /// client declared; a modern upstream is told with every request.
    #[must_use]
    pub fn serves(&self, identity: &Arc<ClientProfile>) -> bool {
        self.profile.era == Era::Modern
            || Arc::ptr_eq(&self.identity, identity)
            || self.identity.shares_session(identity)
    }

    /// A request of our own in the upstream's era.
    pub(crate) fn ours(&self, method: &'static str, mut params: Value) -> Request {
        if self.profile.era == Era::Modern {
            let meta = format!("{{{}}}", self.identity.meta_members());
            params["_meta"] = serde_json::from_str(&meta).unwrap_or_default();
        }
        Request::ours(next_id(), method, &params)
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

    /// Sends a notification that MCP does not know, whatever the upstream's era.
    ///
    /// # Errors
    /// [`TransportError`], when it was not delivered.
    pub async fn tell(&self, body: Bytes) -> Result<(), TransportError> {
        self.transport.notify(body).await
    }
}
