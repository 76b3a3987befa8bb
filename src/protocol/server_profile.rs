//! The profile of a server, from the handshake.

use serde_json::Value;

use super::item::ItemKind;
use super::revision::Era;
use super::tasks_extension::TASKS_EXTENSION;

/// A server's revision, capabilities and instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerProfile {
    /// The era of the server's revision.
    pub era: Era,
    /// The negotiated revision.
    pub version: &'static str,
    /// The server's `instructions`.
    pub instructions: Option<String>,
    /// The server's `capabilities`: an object or null.
    pub capabilities: Value,
}

impl ServerProfile {
    /// Whether the server declares a family of methods, such as `skills` of `skills/list`. Such a server
    /// declares a capability of that name, or an extension whose name ends with it (MCP 2026-07-28 §
    /// Extensions).
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

    /// Whether the server declares this capability of legacy tasks (MCP 2025-11-25): `/list`, `/cancel`
    /// or `/requests/tools/call`.
    #[must_use]
    pub fn declares_task_capability(&self, pointer: &str) -> bool {
        let declared = self.capabilities["tasks"].pointer(pointer);
        self.era == Era::Legacy && declared.is_some_and(Value::is_object)
    }

    /// Whether the server supports the tasks of its era.
    #[must_use]
    pub fn supports_tasks(&self) -> bool {
        match self.era {
            Era::Legacy => self.capabilities["tasks"].is_object(),
            Era::Modern => self.capabilities["extensions"]
                .get(TASKS_EXTENSION)
                .is_some(),
        }
    }

    /// Whether the server declares `listChanged` for `tools`, `prompts` or `resources`.
    #[must_use]
    pub fn declares_list_changed(&self, what: &str) -> bool {
        let declared = self.capabilities.get(what);
        declared.is_some_and(|declared| declared["listChanged"] == true)
    }

    /// Whether the server declares items of this kind.
    #[must_use]
    pub fn has_items(&self, kind: ItemKind) -> bool {
        let declared = self.capabilities.get(kind.capability());
        declared.is_some_and(Value::is_object)
    }
}
