//! Whom we speak for: what the client declaration of itself, as each era of upstreams is to hear it.

use serde_json::{Value, json};

use crate::protocol::Era;
use crate::protocol::revision::{META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_VERSION, MODERN};
use crate::wire::{Message, Splice, members};

/// What servers ask of clients, and what a client declares that can be asked.
const SERVER_REQUESTS: [(&str, &str); 3] = [
    ("elicitation/create", "elicitation"),
    ("sampling/createMessage", "sampling"),
    ("roots/list", "roots"),
];

/// A client's name and capabilities. Towards legacy upstreams they make a session, towards modern
/// ones they go with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// The client's `clientInfo` as written.
    client_info: String,
    /// What it can do, in words that a legacy upstream knows.
    legacy: String,
    /// The same, parsed: what sessions are told apart by.
    declared: Value,
    meta_members: String,
}

impl Default for ClientProfile {
    /// Ourselves, while no client has spoken.
    fn default() -> Self {
        Self::new(None, None, Era::Legacy)
    }
}

impl ClientProfile {
    /// A client of this era by its `clientInfo` and `capabilities` as written; what is no object
    /// is left out.
    #[must_use]
    pub fn new(client_info: Option<&[u8]>, capabilities: Option<&[u8]>, era: Era) -> Self {
        let ourselves =
            || json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
        let client_info = object(client_info).unwrap_or_else(|| ourselves().to_string());
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

    /// What a client says of itself in a request: in `_meta`, or in `initialize`.
    #[must_use]
    pub fn from_request(request: &Message, era: Era) -> Self {
        let declaration = ClientDeclaration::from_request(request, era);
        Self::new(declaration.client_info, declaration.capabilities, era)
    }

    /// The client's `clientInfo`, an object.
    #[must_use]
    pub fn client_info(&self) -> &str {
        &self.client_info
    }

    /// The `capabilities` for an `initialize`, an object.
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

    /// Whether both can be served by one session with a legacy upstream.
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        self.declared == other.declared
    }

    /// Whether the client can be asked anything at all.
    #[must_use]
    pub fn supports_server_requests(&self) -> bool {
        SERVER_REQUESTS
            .iter()
            .any(|(_, capability)| self.declares(capability))
    }

    /// Whether the client can be asked this. Requests that MCP does not know are left to the client.
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

    /// Whether this can be put to the client in its era: a modern one is asked by results, in which
    /// MCP has three questions and no more (MCP 2026-07-28 § Multi Round-Trip Requests).
    #[must_use]
    pub fn accepts_server_request(&self, request: &Message, client: Era) -> bool {
        let is_input_request = SERVER_REQUESTS
            .iter()
            .any(|(method, _)| *method == request.method());
        (client == Era::Legacy || is_input_request) && self.supports_server_request(request)
    }

    /// Whether the client can be sent to a URL, or shown a form. One that names neither mode knows
    /// forms alone (MCP 2025-11-25 § Elicitation, Capabilities).
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

/// What a request says of its client, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientDeclaration<'a> {
    /// Its `clientInfo`.
    pub client_info: Option<&'a [u8]>,
    /// Its `capabilities`.
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

/// Capabilities of a legacy client for a modern upstream: there are no tasks of the older kind,
/// and roots do not announce changes (MCP 2026-07-28 § Changelog).
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
    fn capabilities_are_told_in_the_words_of_the_upstreams_era() {
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
    fn a_session_is_shared_by_equal_capabilities_however_written() {
        let a = client(r#"{"roots":{},"sampling":{}}"#, Era::Legacy);
        let b = client(
            r#"{ "sampling":{}, "roots":{}, "extensions":{"e/f":{}} }"#,
            Era::Modern,
        );
        assert!(a.shares_session(&b));
        assert!(!a.shares_session(&client("{}", Era::Legacy)));
    }

    #[test]
    fn a_client_is_asked_only_what_it_declares() {
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
