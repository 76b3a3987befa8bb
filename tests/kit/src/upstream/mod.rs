//! Scripted MCP servers: their responses are set byte by byte, and they check requests strictly.
//!
//! - `legacy()` is Streamable HTTP of 2025-11-25.
//! - `modern()` is Streamable HTTP of 2026-07-28.
//! - `http_sse()` is the transport of 2024-11-05.
//!
//! Each server rejects everything that its revision allows it to reject. So a client with a result has
//! followed the rules.

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
mod server_stream;
mod state;

use std::sync::Arc;

use tempfile::NamedTempFile;

use super::raw::{self, Handler, Reply, Request};
use super::{Endpoint, within};
pub use builder::{Builder, tool};
pub use changing::{Changing, changing};
pub use kind::Kind;
pub use next::Next;
pub use server_stream::ServerStream;
pub use state::Call;
use state::State;

/// Returns a server of [`Kind::Legacy`].
pub fn legacy() -> Builder {
    Kind::Legacy.server()
}

/// Returns a server of [`Kind::Modern`].
pub fn modern() -> Builder {
    Kind::Modern.server()
}

/// Returns a server of [`Kind::HttpSse`].
pub fn http_sse() -> Builder {
    Kind::HttpSse.server()
}

/// A running server, stopped on drop.
pub struct Upstream {
    /// The HTTP server, with its requests.
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
    /// Replaces the tools by definitions as in [`Builder::tool_raw`]; see [`tool`] for plain ones.
    pub fn set_tools<'a>(&self, tools: impl IntoIterator<Item = &'a str>) {
        let tools = tools.into_iter().map(str::to_owned).collect();
        *self.state.tools.lock().unwrap() = tools;
    }

    /// Replaces another list by definitions as in [`Builder::offers`].
    pub fn set_offers<'a>(&self, member: &str, definitions: impl IntoIterator<Item = &'a str>) {
        let definitions = definitions.into_iter().map(str::to_owned).collect();
        let mut offers = self.state.offers.lock().unwrap();
        offers.insert(member.to_owned(), definitions);
    }

    /// Sends `notifications/tools/list_changed` to each client, once one has an event stream.
    pub async fn list_changed(&self) {
        self.notify("notifications/tools/list_changed", "{}").await;
    }

    /// Sends a notification on the event stream of each client, once one has subscribed.
    ///
    /// A modern server adds the subscription id to `params`, and reaches only subscribers of `method`.
    pub async fn notify(&self, method: &str, params: &str) {
        self.state.notify(method, params).await;
    }

    /// Sends a notification like [`Upstream::notify`], to the subscribers of any resource.
    pub async fn notify_unfiltered(&self, method: &str, params: &str) {
        self.state.notify_unfiltered(method, params).await;
    }

    /// Waits until each stream that was opened for this resource is closed.
    pub async fn closed_for(&self, uri: &str) {
        self.state.closed_for(uri).await;
    }

    /// Waits for an event stream of a legacy client, and returns the last one.
    pub async fn event_stream(&self) -> ServerStream {
        ServerStream::last_event_stream(&self.state, None).await
    }

    /// Waits for the first notification or response of a legacy client that `is_expected` accepts, including
    /// past ones. Returns its body.
    pub async fn wait_for_message(
        &self,
        what: &str,
        is_expected: impl Fn(&Request) -> bool,
    ) -> Vec<u8> {
        self.state.wait_for_message(what, is_expected).await
    }

    /// Waits for the first request of `method`, including past ones.
    pub async fn wait_for_request(&self, method: &str) -> Request {
        self.raw.wait_for(|request| request.is(method)).await
    }

    /// Returns the requests and notifications of `method` so far.
    pub fn requests_of(&self, method: &str) -> Vec<Request> {
        let mut requests = self.raw.requests();
        requests.retain(|request| request.is(method));
        requests
    }

    /// Returns the responses so far.
    pub fn responses(&self) -> Vec<Request> {
        let mut requests = self.raw.requests();
        requests.retain(|request| request.method == "POST" && request.rpc_method().is_empty());
        requests
    }

    /// Cancels each subscription (MCP 2026-07-28 § Cancellation).
    pub async fn cancel_subscriptions(&self) {
        self.state.cancel_subscriptions().await;
    }

    /// Ends all event streams; clients may open them again.
    pub fn end_streams(&self) {
        self.state.streams.send_modify(Vec::clear);
    }

    /// Drops all sessions and ends their streams, like a restart.
    pub fn expire_sessions(&self) {
        self.state.sessions.lock().unwrap().clear();
        self.end_streams();
    }

    /// Returns the number of open sessions.
    pub fn sessions(&self) -> usize {
        self.state.sessions.lock().unwrap().len()
    }

    /// Returns the bodies of the calls so far.
    pub fn calls(&self) -> Vec<Vec<u8>> {
        self.state.calls.borrow().clone()
    }

    /// Waits until there were `count` calls, and returns their bodies.
    pub async fn wait_for_calls(&self, count: usize) -> Vec<Vec<u8>> {
        let calls = &mut self.state.calls.subscribe();
        let enough = calls.wait_for(|calls| calls.len() >= count);
        let what = format!("{count} calls of tools");
        within(&what, enough).await.unwrap().clone()
    }

    /// Returns the cancellations so far: the bodies of `notifications/cancelled`.
    ///
    /// For a modern server, returns the bodies of the calls whose stream the client closed.
    pub fn cancelled(&self) -> Vec<Vec<u8>> {
        let (log, sign) = match self.state.script.kind {
            Kind::Modern => (self.raw.disconnects(), "tools/call"),
            _ => (self.raw.requests(), "notifications/cancelled"),
        };
        let signs = log.into_iter().filter(|request| request.is(sign));
        signs.map(|request| request.body).collect()
    }

    /// Waits for the first cancellation, as in [`Upstream::cancelled`].
    pub async fn wait_for_cancelled(&self) -> Vec<u8> {
        let any = || !self.cancelled().is_empty();
        self.raw.wait_until("a cancellation", any).await;
        self.cancelled().remove(0)
    }

    /// Starts again on the same port after `raw.stop()`, with its sessions. Not for TLS.
    pub fn restart(&mut self) {
        self.raw = raw::start(self.raw.address(), None, self.handler.clone());
    }

    /// Returns the path of the certificate of the authority of a TLS server, PEM.
    pub fn authority(&self) -> &std::path::Path {
        self.authority.as_ref().expect("no TLS").path()
    }
}
