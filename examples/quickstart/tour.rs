//! What the reader is shown: each tool the proxy must offer, a call of it, and the answer.

use serde_json::{Map, Value};

/// A tool of the merged list and a call of it.
pub(crate) struct Stop {
    /// The name under which the proxy offers it.
    pub(crate) tool: &'static str,
    /// The server it belongs to.
    pub(crate) server: &'static str,
    /// What is to be noticed about it.
    pub(crate) note: &'static str,
    arguments: &'static str,
    /// A part of the right answer.
    pub(crate) expected: &'static str,
}

/// In the order of the calls: a note must be there before it can be found.
pub(crate) const STOPS: [Stop; 5] = [
    Stop {
        tool: "forecast",
        server: "weather",
        note: "",
        arguments: r#"{"city": "Lisbon"}"#,
        expected: "24 °C",
    },
    Stop {
        tool: "search",
        server: "weather",
        note: "first in the configuration, so it keeps its name",
        arguments: r#"{"text": "re"}"#,
        expected: "Reykjavík",
    },
    Stop {
        tool: "add_note",
        server: "notes",
        note: "",
        arguments: r#"{"text": "Buy oat milk"}"#,
        expected: "note 1",
    },
    Stop {
        tool: "notes__search",
        server: "notes",
        note: "its own name is `search`, which weather has too",
        arguments: r#"{"text": "milk"}"#,
        expected: "Buy oat milk",
    },
    Stop {
        tool: "now",
        server: "clock",
        note: "",
        arguments: r#"{"offset_hours": 2}"#,
        expected: "UTC+2",
    },
];

impl Stop {
    /// The arguments of the call.
    pub(crate) fn arguments(&self) -> Map<String, Value> {
        // The texts above are objects; an empty one in place of a broken one would show at once.
        serde_json::from_str(self.arguments).unwrap_or_default()
    }
}
