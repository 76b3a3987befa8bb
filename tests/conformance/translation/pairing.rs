//! Clients and upstreams of each pairing, and their messages.

use serde_json::{Value, json};

use crate::pairing::Pairing;
use testkit::proxy::{self, Client};
use testkit::raw::Request;
use testkit::upstream::{self, Builder, Upstream};

/// The keys that a modern request must have in `_meta`, and the key of the log level.
pub(crate) const META_KEYS: [&str; 4] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
];

/// The key of the subscription id in `_meta`.
pub(crate) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The client info that a modern server receives.
pub(crate) const INFO: &str = r#"{"name":"test","version":"1"}"#;

impl Pairing {
    /// A server of the upstream's era, over Streamable HTTP.
    pub(crate) fn server(self) -> Builder {
        match self.legacy_upstream() {
            true => upstream::legacy(),
            false => upstream::modern(),
        }
    }

    /// Servers of the upstream's era, one per transport.
    pub(crate) fn servers(self) -> Vec<Builder> {
        match self.legacy_upstream() {
            true => vec![upstream::legacy(), upstream::http_sse()],
            false => vec![upstream::modern()],
        }
    }

    /// A client of the client's era without capabilities, with one upstream `a`.
    pub(crate) async fn client(self, server: &Upstream) -> Client {
        self.client_with(server, json!({})).await
    }

    /// Like [`Pairing::client`], with these capabilities.
    pub(crate) async fn client_with(self, server: &Upstream, capabilities: Value) -> Client {
        let mut client = proxy::new().upstream("a", server).start().await;
        self.handshake(&mut client, capabilities).await;
        client
    }

    /// A client with two upstreams, `a` and `b`.
    pub(crate) async fn client_of_two(self, a: &Upstream, b: &Upstream) -> Client {
        let proxy = proxy::new().upstream("a", a).upstream("b", b);
        let mut client = proxy.start().await;
        self.handshake(&mut client, json!({})).await;
        client
    }

    /// Completes the handshake of the client's era.
    pub(crate) async fn handshake(self, client: &mut Client, capabilities: Value) {
        match self.legacy_client() {
            true => drop(client.initialize_with(capabilities).await),
            false => client.declare(capabilities),
        }
    }

    /// The line of a request in the client's era; `id`, `meta` and `members` (of the parameters)
    /// are JSON.
    pub(crate) fn line(self, id: &str, method: &str, meta: &str, members: &str) -> String {
        self.line_with("{}", id, method, meta, members)
    }

    /// Like [`Pairing::line`], with these capabilities (JSON).
    pub(crate) fn line_with(
        self,
        capabilities: &str,
        id: &str,
        method: &str,
        meta: &str,
        members: &str,
    ) -> String {
        let own = format!(
            r#""{}":"2026-07-28","{}":{INFO},"{}":{capabilities}"#,
            META_KEYS[0], META_KEYS[1], META_KEYS[2]
        );
        let meta = match (self.legacy_client(), meta) {
            (true, meta) => meta.to_owned(),
            (false, "") => own,
            (false, meta) => format!("{own},{meta}"),
        };
        let comma = if members.is_empty() { "" } else { "," };
        let params = format!(r#"{{"_meta":{{{meta}}}{comma}{members}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    }
}

/// The `_meta` of a request.
pub(crate) fn meta_of(request: &Request) -> Value {
    request.json()["params"]["_meta"].clone()
}

/// A result with one text.
pub(crate) fn text_result(text: &str) -> Vec<u8> {
    let content = json!([{"type": "text", "text": text}]);
    json!({"content": content, "resultType": "complete"})
        .to_string()
        .into_bytes()
}

/// A response to `request` with this member, `"result":…` or `"error":…`.
pub(crate) fn answer(request: &Request, member: &str) -> Vec<u8> {
    let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#).into_bytes()
}

/// A line as text.
pub(crate) fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap()
}
