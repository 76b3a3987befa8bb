//! The results of `initialize` and `server/discover`: server info, revisions and capabilities.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::protocol::Era;
use crate::protocol::revision::{META_SERVER_INFO, negotiate, supported};
use crate::router::Client;
use crate::wire::Message;
use crate::wire::splice::decode;

/// The only revision with tasks in its core, not in an extension.
const REVISION_WITH_TASKS: &str = "2025-11-25";

/// Returns the result of `initialize` (MCP 2025-11-25 § Lifecycle).
pub(super) fn initialize_result(client: &Client, request: &Message) -> String {
    let requested = request.param("protocolVersion");
    let requested = requested.and_then(|version| decode(version.value()).map(Cow::into_owned));
    let version = negotiate(&requested.unwrap_or_default());
    let mut capabilities = client.capabilities(Era::Legacy);
    if version == REVISION_WITH_TASKS
        && let Some(tasks) = client.tasks_capability()
    {
        capabilities["tasks"] = tasks;
    }
    let result = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": server_info(),
    });
    with_instructions(client, result)
}

/// Returns the result of `server/discover` (MCP 2026-07-28 § Discovery).
///
/// The result must not be cached: it changes whenever an upstream connects or disconnects.
pub(super) fn discover_result(client: &Client) -> String {
    let result = json!({
        "resultType": "complete",
        "supportedVersions": supported(),
        "capabilities": client.capabilities(Era::Modern),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {META_SERVER_INFO: server_info()},
    });
    with_instructions(client, result)
}

fn with_instructions(client: &Client, mut result: Value) -> String {
    if let Some(instructions) = client.instructions() {
        result["instructions"] = instructions.into();
    }
    result.to_string()
}

fn server_info() -> Value {
    json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")})
}
