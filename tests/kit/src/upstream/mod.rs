//! MCP servers told what to say, byte for byte, and strict about what they are asked.
//!
//! `legacy()` speaks Streamable HTTP of 2025-11-25, `modern()` that of 2026-07-28, `http_sse()` the
//! transport of 2024-11-05. Each refuses what its revision lets a server refuse, so that a client
//! which gets an answer has followed the rules.

mod answer;
mod builder;
mod changing;
mod checks;
mod held;
mod http_sse;
mod kind;
mod legacy;
mod modern;
mod next;
mod state;
mod voice;

use std::sync::Arc;

use tempfile::NamedTempFile;

use super::raw::{self, Handler, Reply, Request};
use super::{Endpoint, within};
pub use builder::{Builder, tool};
pub use changing::{Changing, changing};
pub use kind::Kind;
pub use next::Next;
pub use state::Call;
use state::State;
pub use voice::Voice;

/// A server of [`Kind::Legacy`].
pub fn legacy() -> Builder {
    Kind::Legacy.server()
}

/// A server of [`Kind::Modern`].
pub fn modern() -> Builder {
    Kind::Modern.server()
}

/// A server of [`Kind::HttpSse`].
pub fn http_sse() -> Builder {
    Kind::HttpSse.server()
}

/// A running server; it ends when dropped.
pub struct Upstream {
    /// What was asked of the server, as HTTP.
    pub raw: raw::Server,
    state: Arc<State>,
    handler: Handler,
    authority: Option<NamedTempFile>,
}

impl Endpoint for Upstream {
    fn url(&self) -> String {
        match self.state.script.kind {
            Kind::HttpSse => self.raw.url_of("/sse"),
            Kind::Legacy | Kind::Modern => self.raw.url(),
        }
    }

    fn transport(&self) -> Option<&'static str> {
        (self.state.script.kind == Kind::HttpSse).then_some("sse")
    }
}

impl Upstream {
    /// Replaces the tools, given as to [`Builder::tool_raw`]; see [`tool`] for plain ones.
    pub fn set_tools<'a>(&self, tools: impl IntoIterator<Item = &'a str>) {
        let tools = tools.into_iter().map(str::to_owned).collect();
        *self.state.tools.lock().unwrap() = tools;
    }

    /// Replaces what is listed besides tools, given as to [`Builder::offers`].
    pub fn set_offers<'a>(&self, member: &str, definitions: impl IntoIterator<Item = &'a str>) {
        let definitions = definitions.into_iter().map(str::to_owned).collect();
        let mut offers = self.state.offers.lock().unwrap();
        offers.insert(member.to_owned(), definitions);
    }

    /// Says on the server's stream to each client that the tools have changed, once one listens.
    pub async fn list_changed(&self) {
        self.notify("notifications/tools/list_changed", "{}").await;
    }

    /// Sends a notification on the server's stream to each client, once one listens for it.
    ///
    /// A modern server adds the subscription to `params` and reaches those who asked for `method`.
    pub async fn notify(&self, method: &str, params: &str) {
        self.state.notify(method, params).await;
    }

    /// As [`Upstream::notify`], to everybody who listens for some resource, this one or not.
    pub async fn blurt(&self, method: &str, params: &str) {
        self.state.blurt(method, params).await;
    }

    /// Waits until each stream that was opened for this resource is closed.
    pub async fn closed_for(&self, uri: &str) {
        self.state.closed_for(uri).await;
    }

    /// The server's own stream that was opened last, once a legacy client has opened one.
    pub async fn voice(&self) -> Voice {
        Voice::aside(&self.state, None).await
    }

    /// Waits for the first notification or response of a legacy client, past ones included, that
    /// `is_expected` accepts, and gives its body.
    pub async fn wait_for_message(
        &self,
        what: &str,
        is_expected: impl Fn(&Request) -> bool,
    ) -> Vec<u8> {
        self.state.wait_for_message(what, is_expected).await
    }

    /// Waits for the first request of `method`, past ones included.
    pub async fn asked(&self, method: &str) -> Request {
        self.raw.wait_for(|request| request.is(method)).await
    }

    /// The requests of `method` so far, and the notifications.
    pub fn asks(&self, method: &str) -> Vec<Request> {
        let mut requests = self.raw.requests();
        requests.retain(|request| request.is(method));
        requests
    }

    /// The responses so far.
    pub fn responses(&self) -> Vec<Request> {
        let mut requests = self.raw.requests();
        requests.retain(|request| request.method == "POST" && request.rpc_method().is_empty());
        requests
    }

    /// Says on each subscription that the server ends it (MCP 2026-07-28 § Cancellation).
    pub async fn cancel_subscriptions(&self) {
        self.state.cancel_subscriptions().await;
    }

    /// Ends the server's streams; the clients may open them again.
    pub fn end_streams(&self) {
        self.state.streams.send_modify(Vec::clear);
    }

    /// Forgets all sessions and ends their streams, as a restart does.
    pub fn expire_sessions(&self) {
        self.state.sessions.lock().unwrap().clear();
        self.end_streams();
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.state.sessions.lock().unwrap().len()
    }

    /// The bodies of the calls that came to a tool, so far.
    pub fn calls(&self) -> Vec<Vec<u8>> {
        self.state.calls.borrow().clone()
    }

    /// Waits until `count` calls have come, and gives their bodies.
    pub async fn wait_for_calls(&self, count: usize) -> Vec<Vec<u8>> {
        let calls = &mut self.state.calls.subscribe();
        let enough = calls.wait_for(|calls| calls.len() >= count);
        let what = format!("{count} calls of tools");
        within(&what, enough).await.unwrap().clone()
    }

    /// What was cancelled so far: the bodies of `notifications/cancelled`, or, where closing the
    /// stream is the word for it, those of the calls whose stream the client closed.
    pub fn cancelled(&self) -> Vec<Vec<u8>> {
        let (log, sign) = match self.state.script.kind {
            Kind::Modern => (self.raw.disconnects(), "tools/call"),
            _ => (self.raw.requests(), "notifications/cancelled"),
        };
        let signs = log.into_iter().filter(|request| request.is(sign));
        signs.map(|request| request.body).collect()
    }

    /// Waits for the first of [`Upstream::cancelled`].
    pub async fn wait_for_cancelled(&self) -> Vec<u8> {
        let any = || !self.cancelled().is_empty();
        self.raw.wait_until("a cancellation", any).await;
        self.cancelled().remove(0)
    }

    /// Comes back on the same port after `raw.stop()`, remembering its sessions. Not for TLS.
    pub fn restart(&mut self) {
        self.raw = raw::start(self.raw.address(), None, self.handler.clone());
    }

    /// The certificate of the authority behind a server started with TLS, PEM.
    pub fn authority(&self) -> &std::path::Path {
        self.authority.as_ref().expect("no TLS").path()
    }
}
