//! The content of a server's answers to the handshake: its era, its revision, and its profile.
//!
//! Nothing is sent here, and no answer, however broken, is more than an error.

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

/// The content of the answer to `server/discover`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It speaks our modern revision.
    Modern(ServerProfile),
    /// It offers legacy revisions, or said nothing that only a modern server says: try `initialize`.
    Legacy,
    /// It gave no answer, which may pass: try `initialize` as well.
    Unclear,
}

/// The members of either result that matter here.
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

/// Returns `true` if the answer rejects our modern revision and names it as supported nevertheless,
/// so that the request is to be made again (MCP 2026-07-28 § Versioning).
pub(super) fn rejects_supported_version(answer: &Message) -> bool {
    answer.error_code() == Some(code::UNSUPPORTED_PROTOCOL_VERSION)
        && includes_version(&supported_versions(answer), MODERN)
}

/// The `data.supported` of an error; null where it has none.
fn supported_versions(answer: &Message) -> Value {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        data: Value,
    }
    let refusal = answer
        .error()
        .and_then(|error| serde_json::from_slice::<Refusal>(error).ok());
    // Read by `get`: `data` may be anything, and indexing to change it panics on a text.
    refusal
        .and_then(|mut refusal| refusal.data.get_mut("supported").map(Value::take))
        .unwrap_or_default()
}

fn includes_version(supported: &Value, version: &str) -> bool {
    supported
        .as_array()
        .is_some_and(|all| all.iter().any(|named| named == version))
}

/// Reads the answer to `server/discover`.
///
/// # Errors
/// [`TransportError::Handshake`] when a modern server refuses us for good.
pub(super) fn parse_discover(answer: &Message) -> Result<Probe, TransportError> {
    if let Some(result) = answer.result() {
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
    match answer.error_code() {
        Some(code::UNSUPPORTED_PROTOCOL_VERSION) => {
            let supported = supported_versions(answer);
            match LEGACY
                .iter()
                .any(|version| includes_version(&supported, version))
            {
                true => Ok(Probe::Legacy),
                false => Err(TransportError::Handshake(format!(
                    "it refuses revision `{MODERN}` of MCP and supports only {supported}"
                ))),
            }
        }
        // By these a modern server shows itself even in a refusal.
        Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => {
            Err(TransportError::Handshake(error_text(answer)))
        }
        _ => Ok(Probe::Legacy),
    }
}

/// Reads the answer to `initialize`: the revision that the server chose, and what it declares.
///
/// # Errors
/// [`TransportError::Handshake`] when it is an error, broken, or names a revision unknown here.
pub(super) fn parse_initialize(answer: &Message) -> Result<ServerProfile, TransportError> {
    let Some(result) = answer.result() else {
        return Err(TransportError::Handshake(error_text(answer)));
    };
    let result: HandshakeResult = serde_json::from_slice(result).map_err(|e| {
        TransportError::Handshake(format!("its answer to `initialize` is broken: {e}"))
    })?;
    let supported = LEGACY
        .into_iter()
        .find(|version| *version == result.protocol_version);
    let version = supported.ok_or_else(|| {
        TransportError::Handshake(format!(
            "it speaks revision `{}` of MCP, which is unknown here",
            result.protocol_version
        ))
    })?;
    Ok(result.profile(Era::Legacy, version))
}

/// 400, 404 and 405 are how an HTTP+SSE server refuses a POST (MCP 2026-07-28 § HTTP+SSE Transport).
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
    fn capabilities_are_kept_whole_or_are_null() {
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
            let answer = |result: Value| {
                let message = json!({"jsonrpc": "2.0", "id": 1, "result": result});
                Message::parse(message.to_string()).unwrap()
            };
            let Ok(Probe::Modern(modern)) = parse_discover(&answer(discovered)) else {
                panic!("{written}");
            };
            let legacy = parse_initialize(&answer(initialized)).unwrap();
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
