//! The steps of the tour: each tool that the proxy must list, a call, and the expected result.

use serde_json::{Map, Value};

/// A tool of the merged list, and a call of it.
pub(crate) struct TourStep {
    /// The public name of the tool.
    pub(crate) tool: &'static str,
    /// The server that has the tool.
    pub(crate) server: &'static str,
    /// A note about the tool.
    pub(crate) note: &'static str,
    arguments: &'static str,
    /// A part of the expected result.
    pub(crate) expected: &'static str,
}

/// The steps in order: a note must be written before it can be found.
pub(crate) const STEPS: [TourStep; 5] = [
    TourStep {
        tool: "forecast",
        server: "weather",
        note: "",
        arguments: r#"{"city": "Lisbon"}"#,
        expected: "24 °C",
    },
    TourStep {
        tool: "search",
        server: "weather",
        note: "first in the configuration, so it keeps its name",
        arguments: r#"{"text": "re"}"#,
        expected: "Reykjavík",
    },
    TourStep {
        tool: "add_note",
        server: "notes",
        note: "",
        arguments: r#"{"text": "Buy oat milk"}"#,
        expected: "note 1",
    },
    TourStep {
        tool: "notes__search",
        server: "notes",
        note: "its own name is `search`, which weather has too",
        arguments: r#"{"text": "milk"}"#,
        expected: "Buy oat milk",
    },
    TourStep {
        tool: "now",
        server: "clock",
        note: "",
        arguments: r#"{"offset_hours": 2}"#,
        expected: "UTC+2",
    },
];

impl TourStep {
    /// The arguments of the call.
    pub(crate) fn arguments(&self) -> Map<String, Value> {
        // The texts above are objects; an empty one in place of a broken one would fail the call.
        serde_json::from_str(self.arguments).unwrap_or_default()
    }
}
