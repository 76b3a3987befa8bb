//! The profile of a client, in the form that upstreams of each era receive.

use serde_json::{Value, json};

use crate::protocol::Era;
use crate::protocol::revision::{META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_VERSION, MODERN};
use crate::wire::{Message, Splice, members};

/// The server requests of MCP, each with the client capability that it requires.
const SERVER_REQUESTS: [(&str, &str); 3] = [
    ("elicitation/create", "elicitation"),
    ("sampling/createMessage", "sampling"),
    ("roots/list", "roots"),
];

/// A client's name and capabilities. Legacy upstreams receive them when a session opens, modern
/// upstreams with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// The client's `clientInfo` as written.
    client_info: String,
    /// The `capabilities` for legacy upstreams, as JSON text.
    legacy: String,
    /// The same capabilities, parsed. Clients with equal ones can share a session.
    declared: Value,
    meta_members: String,
}

impl Default for ClientProfile {
    /// The profile of the proxy itself, used until a client connects.
    fn default() -> Self {
        Self::new(None, None, Era::Legacy)
    }
}

impl ClientProfile {
    /// The profile of a client of this era with this `clientInfo` and these `capabilities`. Values
    /// that are not objects are ignored.
    #[must_use]
    pub fn new(client_info: Option<&[u8]>, capabilities: Option<&[u8]>, era: Era) -> Self {
        let proxy_info =
            || json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
        let client_info = object(client_info).unwrap_or_else(|| proxy_info().to_string());
        let written = object(capabilities).unwrap_or_else(|| "{}".to_owned());
        let (legacy, modern) = match era {
            Era::Legacy => (written.clone(), modern_capabilities(&written)),
            Era::Modern => (without_member(&written, "extensions"), written),
        };
        let meta_members = format!(
            "\"{META_VERSION}\":\"{MODERN}\",\"{META_CLIENT_INFO}\":{client_info},\
             \"{META_CLIENT_CAPABILITIES}\":{modern}"
        );
        Self {
            client_info,
            declared: serde_json::from_str(&legacy).unwrap_or_default(),
            legacy,
            meta_members,
        }
    }

    /// Reads the profile that a request declares: in `_meta`, or in `initialize`.
    #[must_use]
    pub fn from_request(request: &Message, era: Era) -> Self {
        let declaration = ClientDeclaration::from_request(request, era);
        Self::new(declaration.client_info, declaration.capabilities, era)
    }

    /// The client's `clientInfo`, a JSON object.
    #[must_use]
    pub fn client_info(&self) -> &str {
        &self.client_info
    }

    /// The `capabilities` for an `initialize`, a JSON object.
    #[must_use]
    pub fn capabilities(&self) -> &str {
        &self.legacy
    }

    /// The members that a modern request must have in `_meta`, without the braces
    /// (MCP 2026-07-28 § Basic, per-request protocol fields).
    #[must_use]
    pub fn meta_members(&self) -> &str {
        &self.meta_members
    }

    /// Whether one session with a legacy upstream can serve both clients.
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        self.declared == other.declared
    }

    /// Whether the client supports any server request.
    #[must_use]
    pub fn supports_server_requests(&self) -> bool {
        SERVER_REQUESTS
            .iter()
            .any(|(_, capability)| self.declares(capability))
    }

    /// Whether the client supports this server request. Methods unknown to MCP are left to the client.
    #[must_use]
    pub fn supports_server_request(&self, request: &Message) -> bool {
        match &*request.method() {
            "elicitation/create" => {
                let mode = request.param("mode");
                self.supports_elicitation(mode.is_some_and(|mode| mode.value() == br#""url""#))
            }
            "sampling/createMessage" => self.declares("sampling"),
            "roots/list" => self.declares("roots"),
            _ => true,
        }
    }

    /// Whether this server request can be forwarded to a client of this era. Modern clients receive
    /// input requests, for which MCP defines three methods (MCP 2026-07-28 § Multi Round-Trip Requests).
    #[must_use]
    pub fn accepts_server_request(&self, request: &Message, client: Era) -> bool {
        let is_input_request = SERVER_REQUESTS
            .iter()
            .any(|(method, _)| *method == request.method());
        (client == Era::Legacy || is_input_request) && self.supports_server_request(request)
    }

    /// Whether the client supports elicitation by URL, or by form. A client that declares neither mode
    /// supports forms only (MCP 2025-11-25 § Elicitation, Capabilities).
    #[must_use]
    pub fn supports_elicitation(&self, by_url: bool) -> bool {
        let elicitation = self.declared.get("elicitation").and_then(Value::as_object);
        elicitation.is_some_and(|modes| match by_url {
            true => modes.contains_key("url"),
            false => modes.contains_key("form") || !modes.contains_key("url"),
        })
    }

    fn declares(&self, capability: &str) -> bool {
        self.declared.get(capability).is_some_and(Value::is_object)
    }
}

/// The profile members of a request, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientDeclaration<'a> {
    /// The client's `clientInfo`.
    pub client_info: Option<&'a [u8]>,
    /// The client's `capabilities`.
    pub capabilities: Option<&'a [u8]>,
}

impl<'a> ClientDeclaration<'a> {
    /// Reads a request of this era.
    #[must_use]
    pub fn from_request(request: &'a Message, era: Era) -> Self {
        let mut declaration = Self {
            client_info: None,
            capabilities: None,
        };
        match era {
            Era::Legacy => {
                declaration.client_info = request.param("clientInfo").map(|it| it.value());
                declaration.capabilities = request.param("capabilities").map(|it| it.value());
            }
            Era::Modern => {
                let meta = request.param("_meta");
                for member in members(meta.map(|meta| meta.value()).unwrap_or_default()) {
                    match &*member.key() {
                        META_CLIENT_INFO => declaration.client_info = Some(member.value()),
                        META_CLIENT_CAPABILITIES => declaration.capabilities = Some(member.value()),
                        _ => {}
                    }
                }
            }
        }
        declaration
    }
}

fn object(written: Option<&[u8]>) -> Option<String> {
    let written = written.filter(|text| text.first() == Some(&b'{'))?;
    std::str::from_utf8(written).ok().map(str::to_owned)
}

/// Translates the capabilities of a legacy client for modern upstreams, which have no legacy tasks
/// and no `listChanged` of roots (MCP 2026-07-28 § Changelog).
fn modern_capabilities(written: &str) -> String {
    let mut splice = Splice::new(written.as_bytes());
    splice.remove_members(0..written.len(), |member| member.key() == "tasks");
    for roots in members(written.as_bytes()).filter(|member| member.key() == "roots") {
        if roots.value().first() == Some(&b'{') {
            splice.replace(roots.span(), &b"{}"[..]);
        }
    }
    text(splice.finish())
}

fn without_member(written: &str, key: &str) -> String {
    let mut splice = Splice::new(written.as_bytes());
    splice.remove_members(0..written.len(), |member| member.key() == key);
    text(splice.finish())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(capabilities: &str, era: Era) -> ClientProfile {
        ClientProfile::new(Some(br#"{"name":"c"}"#), Some(capabilities.as_bytes()), era)
    }

    #[test]
    fn capabilities_are_translated_to_the_upstreams_era() {
        let cases = [
            (
                Era::Legacy,
                r#"{"roots":{"listChanged":true},"tasks":{"x":1}, "y" : 1E2}"#,
                r#"{"roots":{"listChanged":true},"tasks":{"x":1}, "y" : 1E2}"#,
                r#"{"roots":{},"y" : 1E2}"#,
            ),
            (
                Era::Legacy,
                r#"{ "tasks":{} }"#,
                r#"{ "tasks":{} }"#,
                "{  }",
            ),
            (
                Era::Modern,
                r#"{"roots":{},"extensions":{"a/b":{}}}"#,
                r#"{"roots":{}}"#,
                r#"{"roots":{},"extensions":{"a/b":{}}}"#,
            ),
            (Era::Legacy, "[]", "{}", "{}"),
        ];
        for (era, written, legacy, modern) in cases {
            let profile = client(written, era);
            assert_eq!(profile.capabilities(), legacy, "{written}");
            let meta = profile.meta_members();
            let expected = format!("\"{META_CLIENT_CAPABILITIES}\":{modern}");
            assert!(meta.ends_with(&expected), "{meta}");
        }
    }

    #[test]
    fn clients_with_equal_capabilities_share_a_session() {
        let a = client(r#"{"roots":{},"sampling":{}}"#, Era::Legacy);
        let b = client(
            r#"{ "sampling":{}, "roots":{}, "extensions":{"e/f":{}} }"#,
            Era::Modern,
        );
        assert!(a.shares_session(&b));
        assert!(!a.shares_session(&client("{}", Era::Legacy)));
    }

    #[test]
    fn a_client_supports_the_requests_that_it_declares() {
        let ask = |method: &str, params: &str| {
            Message::parse(format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#
            ))
            .unwrap()
        };
        let form = ask("elicitation/create", "{}");
        let url = ask("elicitation/create", r#"{"mode":"url"}"#);
        let cases = [
            ("{}", [false, false, false, false]),
            (r#"{"elicitation":{}}"#, [true, false, false, false]),
            (r#"{"elicitation":{"url":{}}}"#, [false, true, false, false]),
            (
                r#"{"elicitation":{"form":{},"url":{}}}"#,
                [true, true, false, false],
            ),
            (r#"{"sampling":{},"roots":{}}"#, [false, false, true, true]),
            (
                r#"{"sampling":null,"elicitation":true}"#,
                [false, false, false, false],
            ),
        ];
        let asks = [
            form,
            url,
            ask("sampling/createMessage", "{}"),
            ask("roots/list", "{}"),
        ];
        for (capabilities, expected) in cases {
            let profile = client(capabilities, Era::Modern);
            for (ask, expected) in asks.iter().zip(expected) {
                assert_eq!(
                    profile.supports_server_request(ask),
                    expected,
                    "{capabilities} {ask:?}"
                );
            }
        }
        assert!(client("{}", Era::Legacy).supports_server_request(&ask("x/y", "{}")));
    }
}
