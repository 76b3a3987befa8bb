//! An upstream as the handshake found it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::error::TransportError;
use super::exchange::Exchange;
use super::request::{Request, next_id};
use super::transport::Transport;
use crate::wire::Era;
use crate::wire::version::{META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_VERSION, MODERN};

/// Whom we speak for: what the client said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The client's `clientInfo` as written.
    pub client_info: String,
}

impl Default for Identity {
    /// Ourselves, while no client has spoken.
    fn default() -> Self {
        let info = json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
        Self {
            client_info: info.to_string(),
        }
    }
}

impl Identity {
    /// The members that a modern request must have in `_meta`, without the braces
    /// (MCP 2026-07-28 § Basic, per-request protocol fields).
    #[must_use]
    pub fn meta_members(&self) -> String {
        format!(
            "\"{META_VERSION}\":\"{MODERN}\",\"{META_CLIENT_INFO}\":{},\"{META_CLIENT_CAPABILITIES}\":{{}}",
            self.client_info
        )
    }
}

/// What the upstream said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its instructions for the model.
    pub instructions: Option<String>,
    /// Its `capabilities`: an object, or null.
    pub capabilities: Value,
}

impl ServerFacts {
    /// Whether it declares a family of methods (`skills` of `skills/list`), as a capability or as an
    /// extension whose name ends in it (MCP 2026-07-28 § Extensions).
    #[must_use]
    pub fn declares(&self, family: &str) -> bool {
        let extensions = self
            .capabilities
            .get("extensions")
            .and_then(Value::as_object);
        let ends = |name: &String| name.rsplit('/').next() == Some(family);
        self.capabilities.get(family).is_some()
            || extensions.is_some_and(|extensions| extensions.keys().any(ends))
    }

    /// Whether it announces changes of its `tools`, `prompts` or `resources`.
    #[must_use]
    pub fn announces(&self, what: &str) -> bool {
        let declared = self.capabilities.get(what);
        declared.is_some_and(|declared| declared["listChanged"] == true)
    }
}

/// A connected upstream.
#[derive(Debug)]
pub struct Live {
    /// Counts the connections of this upstream.
    pub(crate) generation: u64,
    /// How it wants to be spoken to.
    pub era: Era,
    /// The revision agreed on.
    pub version: &'static str,
    /// What it said of itself.
    pub facts: ServerFacts,
    pub(crate) transport: Transport,
    meta_members: String,
}

impl Live {
    pub(crate) fn new(
        generation: u64,
        (era, version): (Era, &'static str),
        facts: ServerFacts,
        transport: Transport,
        identity: &Identity,
    ) -> Self {
        Self {
            generation,
            era,
            version,
            facts,
            transport,
            meta_members: identity.meta_members(),
        }
    }

    /// Sends a request of our own and waits for its response.
    ///
    /// # Errors
    /// [`TransportError`]; a JSON-RPC error is a response.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<crate::wire::Message, TransportError> {
        self.open(method, params).await?.response().await
    }

    /// Sends a request of our own.
    pub(crate) async fn open(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Exchange, TransportError> {
        self.transport.send(&self.ours(method, params)).await
    }

    /// How it is spoken to: `http` (Streamable HTTP) or `sse` (HTTP+SSE).
    #[must_use]
    pub fn transport(&self) -> &'static str {
        match self.transport {
            Transport::StreamableHttp(_) | Transport::StreamableHttpLegacy(_) => "http",
            Transport::HttpSse(_) => "sse",
        }
    }

    /// The members that the `_meta` of a request must have for a modern upstream.
    #[must_use]
    pub fn meta_members(&self) -> &str {
        &self.meta_members
    }

    /// A request of our own in the upstream's era.
    pub(crate) fn ours(&self, method: &'static str, mut params: Value) -> Request {
        if self.era == Era::Modern {
            let meta = format!("{{{}}}", self.meta_members);
            params["_meta"] = serde_json::from_str(&meta).unwrap_or_default();
        }
        Request::ours(next_id(), method, &params)
    }

    /// Sends a notification that the upstream's era knows.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        self.transport.notify(body).await
    }
}
