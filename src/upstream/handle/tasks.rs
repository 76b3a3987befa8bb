//! What upstreams say of tasks: those of MCP 2025-11-25, a capability, and those of the modern era,
//! an extension. Both are polled, and otherwise have little in common.

use bytes::Bytes;

use super::Upstream;
use crate::upstream::error::TransportError;
use crate::upstream::error::reported::UpstreamError;
use crate::upstream::offers::pagination;

const LIST: &str = "tasks/list";

impl Upstream {
    /// Lists its tasks, each as it wrote it; nothing where it does not declare that it can.
    ///
    /// # Errors
    /// [`UpstreamError`], when the listing could not be read.
    pub async fn tasks(&self) -> Result<Vec<Bytes>, UpstreamError> {
        let mut tasks = Vec::new();
        if let Some(live) = self
            .ready()
            .filter(|live| live.profile.declares_of_tasks("/list"))
        {
            let read = pagination::all(&live, LIST, "tasks", |task| tasks.push(task)).await;
            read.map_err(|cause: TransportError| self.error(LIST, cause))?;
        }
        Ok(tasks)
    }
}
