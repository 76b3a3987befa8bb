//! Parses a server's responses to the handshake: its era, revision, and profile.
//!
//! Nothing here sends a message, and every invalid response is an error.

use std::borrow::Cow;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::super::error::TransportError;
use crate::protocol::Era;
use crate::protocol::ServerProfile;
use crate::protocol::reply::error_text;
use crate::protocol::revision::{LEGACY, MODERN};
use crate::wire::Message;
use crate::wire::outgoing::code;

/// The result of `server/discover`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The server supports our modern revision.
    Modern(ServerProfile),
    /// The server lists legacy revisions, or its response is not that of a modern server: try `initialize`.
    Legacy,
    /// A transient error: try `initialize`, then probe again.
    Unclear,
}

/// The members of the results of `server/discover` and `initialize`.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct HandshakeResult<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    supported_versions: Vec<String>,
    capabilities: Value,
    instructions: Option<String>,
}

impl HandshakeResult<'_> {
    fn profile(self, era: Era, version: &'static str) -> ServerProfile {
        let capabilities = match self.capabilities {
            object @ Value::Object(_) => object,
            _ => Value::Null,
        };
        ServerProfile {
            era,
            version,
            instructions: self.instructions.filter(|text| !text.trim().is_empty()),
            capabilities,
        }
    }
}

/// Returns `true` if the response rejects our modern revision but lists it as supported. The request must
/// then be retried (MCP 2026-07-28 § Versioning).
pub(super) fn rejects_supported_version(response: &Message) -> bool {
    response.error_code() == Some(code::UNSUPPORTED_PROTOCOL_VERSION)
        && includes_version(&supported_versions(response), MODERN)
}

/// Returns the `data.supported` of an error; null if it has none.
fn supported_versions(response: &Message) -> Value {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        data: Value,
    }
    let refusal = response
        .error()
        .and_then(|error| serde_json::from_slice::<Refusal>(error).ok());
    // `get_mut`, because `data` may have any type, and a mutable index panics on a string.
    refusal
        .and_then(|mut refusal| refusal.data.get_mut("supported").map(Value::take))
        .unwrap_or_default()
}

fn includes_version(supported: &Value, version: &str) -> bool {
    supported
        .as_array()
        .is_some_and(|all| all.iter().any(|named| named == version))
}

/// Parses the response to `server/discover`.
///
/// # Errors
/// [`TransportError::Handshake`] when a modern server rejects us permanently.
pub(super) fn parse_discover(response: &Message) -> Result<Probe, TransportError> {
    if let Some(result) = response.result() {
        let Ok(result) = serde_json::from_slice::<HandshakeResult>(result) else {
            return Ok(Probe::Legacy);
        };
        let modern = result
            .supported_versions
            .iter()
            .any(|version| version == MODERN);
        return Ok(if modern {
            Probe::Modern(result.profile(Era::Modern, MODERN))
        } else {
            Probe::Legacy
        });
    }
    match response.error_code() {
        Some(code::UNSUPPORTED_PROTOCOL_VERSION) => {
            let supported = supported_versions(response);
            match LEGACY
                .iter()
                .any(|version| includes_version(&supported, version))
            {
                true => Ok(Probe::Legacy),
                false => Err(TransportError::Handshake(format!(
                    "the server rejects revision `{MODERN}` of MCP and supports only {supported}"
                ))),
            }
        }
        // Only a modern server returns these codes.
        Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => {
            Err(TransportError::Handshake(error_text(response)))
        }
        _ => Ok(Probe::Legacy),
    }
}

/// Parses the response to `initialize`: the revision that the server chose, and its profile.
///
/// # Errors
/// [`TransportError::Handshake`] when the response is an error or invalid, or the revision is not supported.
pub(super) fn parse_initialize(response: &Message) -> Result<ServerProfile, TransportError> {
    let Some(result) = response.result() else {
        return Err(TransportError::Handshake(error_text(response)));
    };
    let result: HandshakeResult = serde_json::from_slice(result).map_err(|e| {
        TransportError::Handshake(format!("the result of `initialize` is invalid: {e}"))
    })?;
    let supported = LEGACY
        .into_iter()
        .find(|version| *version == result.protocol_version);
    let version = supported.ok_or_else(|| {
        TransportError::Handshake(format!(
            "the server chose revision `{}` of MCP, which mcp-manifold does not support",
            result.protocol_version
        ))
    })?;
    Ok(result.profile(Era::Legacy, version))
}

/// Returns `true` if the status is one with which an HTTP+SSE server rejects a POST: 400, 404 or 405
/// (MCP 2026-07-28 § HTTP+SSE Transport).
pub(super) fn suggests_http_sse(error: &TransportError) -> bool {
    matches!(
        error,
        TransportError::Status {
            status: StatusCode::BAD_REQUEST
                | StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn capabilities_are_kept_unchanged_or_null() {
        let declared = json!({"tools": {"listChanged": true}, "x": {"y": [1, null]}});
        let cases = [
            (declared.clone(), declared, true),
            (
                json!({"tools": {"listChanged": "true"}}),
                json!({"tools": {"listChanged": "true"}}),
                false,
            ),
            (json!({"tools": true}), json!({"tools": true}), false),
            (json!({}), json!({}), false),
            (json!("tools"), Value::Null, false),
            (json!(["tools"]), Value::Null, false),
            (Value::Null, Value::Null, false),
        ];
        for (written, kept, announces) in cases {
            let discovered = json!({"supportedVersions": [MODERN], "capabilities": written});
            let initialized = json!({"protocolVersion": LEGACY[0], "capabilities": written});
            let response = |result: Value| {
                let message = json!({"jsonrpc": "2.0", "id": 1, "result": result});
                Message::parse(message.to_string()).unwrap()
            };
            let Ok(Probe::Modern(modern)) = parse_discover(&response(discovered)) else {
                panic!("{written}");
            };
            let legacy = parse_initialize(&response(initialized)).unwrap();
            for profile in [modern, legacy] {
                assert_eq!(profile.capabilities, kept, "{written}");
                assert_eq!(
                    profile.declares_list_changed("tools"),
                    announces,
                    "{written}"
                );
            }
        }
    }
}
