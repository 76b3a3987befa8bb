//! What upstreams say of tasks: those of MCP 2025-11-25, a capability, and those of the modern era,
//! an extension. Both are polled, and otherwise have little in common.

use bytes::Bytes;

use super::Upstream;
use crate::upstream::connection::Live;
use crate::upstream::error::TransportError;
use crate::upstream::error::reported::UpstreamError;
use crate::upstream::offers::pagination;
use crate::wire::Era;

/// The name of the modern extension (SEP-2663 § Extension Identifier).
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

const LIST: &str = "tasks/list";

impl Live {
    /// Whether it has tasks of its era.
    #[must_use]
    pub fn has_tasks(&self) -> bool {
        let capabilities = &self.facts.capabilities;
        match self.era {
            Era::Legacy => capabilities["tasks"].is_object(),
            Era::Modern => capabilities["extensions"].get(TASKS_EXTENSION).is_some(),
        }
    }

    /// Whether it declares this of tasks as they were in 2025-11-25.
    #[must_use]
    pub fn declares_of_tasks(&self, pointer: &str) -> bool {
        self.facts.declares_of_tasks(self.era, pointer)
    }
}

impl Upstream {
    /// Lists its tasks, each as it wrote it; nothing where it does not declare that it can.
    ///
    /// # Errors
    /// [`UpstreamError`], when the listing could not be read.
    pub async fn tasks(&self) -> Result<Vec<Bytes>, UpstreamError> {
        let mut tasks = Vec::new();
        if let Some(live) = self.ready().filter(|live| live.declares_of_tasks("/list")) {
            let read = pagination::all(&live, LIST, "tasks", |task| tasks.push(task)).await;
            read.map_err(|cause: TransportError| self.error(LIST, cause))?;
        }
        Ok(tasks)
    }
}
