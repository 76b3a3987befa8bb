//! The revisions of MCP, and the features that a client and a server of two revisions share.

use serde_json::{Value, json};

/// A revision, by its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct Revision(pub(crate) &'static str);

/// All of them, oldest first.
pub(crate) const REVISIONS: [Revision; 5] = [
    Revision("2024-11-05"),
    Revision("2025-03-26"),
    Revision("2025-06-18"),
    Revision("2025-11-25"),
    MODERN,
];

/// The revision without a handshake.
pub(crate) const MODERN: Revision = Revision("2026-07-28");

impl Revision {
    /// Whether each request carries its revision.
    pub(crate) fn is_modern(self) -> bool {
        self == MODERN
    }

    /// Whether a server can request form elicitation.
    pub(crate) fn supports_elicitation(self) -> bool {
        self >= Revision("2025-06-18")
    }

    /// Whether a server can request URL elicitation.
    pub(crate) fn supports_url_mode(self) -> bool {
        self >= Revision("2025-11-25")
    }

    /// Whether the revision itself defines tasks.
    pub(crate) fn has_tasks(self) -> bool {
        self == Revision("2025-11-25")
    }

    /// Whether an error may lack its id if the request had no readable id. Earlier revisions have
    /// no valid response to a malformed line.
    pub(crate) fn allows_errors_without_id(self) -> bool {
        self >= Revision("2025-11-25")
    }

    /// All capabilities that a client of the revision can declare.
    pub(crate) fn capabilities(self) -> Value {
        let mut all = json!({"sampling": {}, "roots": {}, "experimental": {"x": {"y": 1}}});
        if self.supports_elicitation() {
            all["elicitation"] = json!({});
        }
        if self.supports_url_mode() {
            all["elicitation"] = json!({"form": {}, "url": {}});
        }
        match self.is_modern() {
            true => all["extensions"] = json!({"a.example/b": {}}),
            false => all["roots"] = json!({"listChanged": true}),
        }
        all
    }
}

/// A client and the servers behind the proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) client: Revision,
    pub(crate) upstream: Revision,
}

impl Pair {
    /// Whether both sides support form elicitation.
    pub(crate) fn supports_elicitation(self) -> bool {
        self.client.supports_elicitation() && self.upstream.supports_elicitation()
    }

    /// Whether both sides support URL elicitation.
    pub(crate) fn supports_url_mode(self) -> bool {
        self.client.supports_url_mode() && self.upstream.supports_url_mode()
    }

    /// The server requests: their labels in ids, and the requests.
    pub(crate) fn server_requests(self) -> Vec<(&'static str, Value)> {
        let text = json!({"type": "text", "text": "?"});
        let messages = json!([{"role": "user", "content": text}]);
        let sampling = json!({"messages": messages, "maxTokens": 9});
        let schema = json!({"type": "object", "properties": {"n": {"type": "string"}}});
        let form = json!({"message": "?", "requestedSchema": schema});
        let mut requests = vec![
            ("sampling/createMessage", sampling),
            ("roots/list", json!({})),
        ];
        if self.supports_elicitation() {
            requests.push(("elicitation/create", form));
        }
        if self.supports_url_mode() {
            requests.push(("elicitation/create by url", self.url_params()));
        }
        let request = |(label, params): (&'static str, Value)| {
            let method = label.split(' ').next();
            (label, json!({"method": method, "params": params}))
        };
        requests.into_iter().map(request).collect()
    }

    /// The parameters of a URL elicitation.
    pub(crate) fn url_params(self) -> Value {
        let mut url_params = json!({"mode": "url", "message": "?", "url": "https://a.example/"});
        if !self.upstream.is_modern() {
            url_params["elicitationId"] = json!("e-1");
        }
        url_params
    }
}
