//! Answers written as the JSON that goes over the wire, which is how the suite describes them.

use rmcp::ErrorData;
use rmcp::model::CallToolResult;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads one of the SDK's types from the JSON it has on the wire.
pub(crate) fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// The result of a tool that has this to say.
pub(crate) fn content(blocks: &Value) -> Result<CallToolResult, ErrorData> {
    from_json(json!({"resultType": "complete", "content": blocks}))
}

/// The result of a tool that says a sentence.
pub(crate) fn text(text: &str) -> Result<CallToolResult, ErrorData> {
    content(&json!([{"type": "text", "text": text}]))
}

/// The result of a tool that failed.
pub(crate) fn failure(text: &str) -> Result<CallToolResult, ErrorData> {
    let blocks = json!([{"type": "text", "text": text}]);
    from_json(json!({"resultType": "complete", "content": blocks, "isError": true}))
}
