//! The tools, and the server of the official SDK with these tools.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Kind, text};
use crate::calls::CallLedger;

/// How often a call reports progress, if the client sent a progress token.
const REPORTS: u32 = 3;

/// The server's handler for the SDK.
#[derive(Clone)]
pub(super) struct Tools {
    versions: &'static [ProtocolVersion],
    ledger: Arc<CallLedger>,
}

impl Tools {
    pub(super) fn new(kind: Kind, ledger: &Arc<CallLedger>) -> Self {
        Self {
            versions: match kind {
                Kind::Modern => &[ProtocolVersion::V_2026_07_28],
                _ => &[ProtocolVersion::V_2025_11_25],
            },
            ledger: ledger.clone(),
        }
    }
}

/// Returns the list of tools.
pub(super) fn definitions() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"number": {"type": "integer"}, "ms": {"type": "integer"}},
    });
    let tool = |name: &str| {
        let annotations = json!({"idempotentHint": name == "put"});
        json!({"name": name, "inputSchema": schema, "annotations": annotations})
    };
    json!({"resultType": "complete", "tools": super::TOOLS.map(tool)})
}

/// A running call.
pub(super) struct Running {
    number: u64,
    step: Duration,
    done: u32,
}

impl Running {
    /// Records the call in the ledger.
    pub(super) fn begin(arguments: &Map<String, Value>, ledger: &CallLedger) -> Option<Self> {
        let number = arguments.get("number")?.as_u64()?;
        ledger.record_run(number);
        let ms = arguments.get("ms").and_then(Value::as_u64).unwrap_or(0);
        let step = Duration::from_millis(ms) / REPORTS;
        Some(Self {
            number,
            step,
            done: 0,
        })
    }

    /// Waits for one step of the call. Returns the progress to report, or `None` at the end.
    pub(super) async fn step(&mut self) -> Option<u32> {
        if self.done == REPORTS {
            return None;
        }
        if !self.step.is_zero() {
            tokio::time::sleep(self.step).await;
        }
        self.done += 1;
        Some(self.done)
    }

    pub(super) fn result(&self) -> Value {
        let content = json!([{"type": "text", "text": text(self.number)}]);
        json!({"resultType": "complete", "content": content})
    }
}

impl ServerHandler for Tools {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.versions)
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        ServerConfig::new(capabilities)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        from_json(definitions())
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = call.arguments.unwrap_or_default();
        let running = Running::begin(&arguments, &self.ledger);
        let mut running = running.ok_or_else(|| ErrorData::invalid_params("no number", None))?;
        let token = context.meta.get_progress_token();
        while let Some(done) = running.step().await {
            if let Some(token) = token.clone() {
                let progress = ProgressNotificationParam::new(token, done.into());
                context.peer.notify_progress(progress).await.ok();
            }
        }
        from_json::<CallToolResult>(running.result()).map(CallToolResult::into)
    }
}

fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|e| ErrorData::internal_error(e.to_string(), None))
}
