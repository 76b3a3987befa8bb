//! Lists the tasks of an upstream. In MCP 2025-11-25 tasks are a capability, in the modern era an extension.

use bytes::Bytes;

use crate::upstream::connection::ConnectionUse;
use crate::upstream::error::TransportError;
use crate::upstream::offers::pagination;

pub(crate) const LIST: &str = "tasks/list";

/// Reads the tasks on this connection, each as the server wrote it. Returns an empty list if the server does
/// not declare `tasks/list`.
pub(crate) async fn list(connection: Option<ConnectionUse>) -> Result<Vec<Bytes>, TransportError> {
    let mut tasks = Vec::new();
    let lists =
        |connection: &ConnectionUse| connection.server_profile.declares_task_capability("/list");
    if let Some(connection) = connection.filter(lists) {
        pagination::fetch_all(&connection, LIST, "tasks", |task| tasks.push(task)).await?;
    }
    Ok(tasks)
}
