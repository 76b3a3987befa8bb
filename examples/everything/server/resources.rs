//! The content of the resources.

use rmcp::ErrorData;
use rmcp::model::ReadResourceResult;
use serde_json::{Value, json};

use super::answer::from_json;
use super::contents::PNG;

/// Reads a resource.
///
/// # Errors
/// `Resource not found`, with the URI, if there is no such resource.
pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let contents = contents(uri).ok_or_else(|| {
        ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri})))
    })?;
    from_json(json!({"resultType": "complete", "contents": [contents]}))
}

fn contents(uri: &str) -> Option<Value> {
    let text = |text: &str| json!({"uri": uri, "mimeType": "text/plain", "text": text});
    match uri {
        "test://static-text" => Some(text("This is the content of the static text resource.")),
        "test://static-binary" => Some(json!({"uri": uri, "mimeType": "image/png", "blob": PNG})),
        "test://watched-resource" => Some(text("This is the content of the watched resource.")),
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data = format!("Data for ID: {id}");
            let text = json!({"id": id, "templateTest": true, "data": data}).to_string();
            Some(json!({"uri": uri, "mimeType": "application/json", "text": text}))
        }
    }
}
