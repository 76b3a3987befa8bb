//! Results written as JSON on the wire, as the suite describes them.

use rmcp::ErrorData;
use rmcp::model::CallToolResult;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads one of the SDK's types from its JSON on the wire.
pub(crate) fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// Returns a tool result with these content blocks.
pub(crate) fn content(blocks: &Value) -> Result<CallToolResult, ErrorData> {
    from_json(json!({"resultType": "complete", "content": blocks}))
}

/// Returns a tool result with a text.
pub(crate) fn text(text: &str) -> Result<CallToolResult, ErrorData> {
    content(&json!([{"type": "text", "text": text}]))
}

/// Returns the result of a failed tool.
pub(crate) fn failure(text: &str) -> Result<CallToolResult, ErrorData> {
    let blocks = json!([{"type": "text", "text": text}]);
    from_json(json!({"resultType": "complete", "content": blocks, "isError": true}))
}
