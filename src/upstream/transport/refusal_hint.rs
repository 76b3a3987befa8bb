//! Hints in a refusal: the server may be busy, or may have been replaced since the handshake.

use std::time::Duration;

use http::StatusCode;

use crate::protocol::Era;
use crate::protocol::reply::error_text;
use crate::upstream::error::TransportError;
use crate::wire::Message;
use crate::wire::outgoing::code;

/// A hint in a refusal, which is followed before the refusal is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalHint {
    /// The request was not processed, and can be retried after this time.
    RetryAfter(Duration),
    /// The refusal is that of a server of another era or transport.
    OtherEra,
}

impl RefusalHint {
    /// Returns the hint in an error without a JSON-RPC message.
    pub(crate) fn from_error(error: &TransportError) -> Option<Self> {
        match error {
            TransportError::Status {
                retry_after: Some(wait),
                ..
            } => Some(Self::RetryAfter(*wait)),
            TransportError::Status { status, .. } if is_unknown_request_status(*status) => {
                Some(Self::OtherEra)
            }
            _ => None,
        }
    }

    /// Returns the hint in a JSON-RPC error with this status, for a request of this era.
    pub(crate) fn from_response(era: Era, status: StatusCode, response: &Message) -> Option<Self> {
        let code = response.error_code();
        let is_other = match era {
            Era::Modern => {
                is_unknown_request_status(status)
                    && (lacks_request_id(response) || reports_missing_session(response))
            }
            // Modern servers have codes for what a legacy request lacks (MCP 2026-07-28 § Error Codes).
            Era::Legacy => {
                let modern_codes = [
                    code::HEADER_MISMATCH,
                    code::MISSING_CAPABILITY,
                    code::UNSUPPORTED_PROTOCOL_VERSION,
                ];
                let ambiguous_codes = [code::INVALID_REQUEST, code::INVALID_PARAMS];
                code.is_some_and(|it| modern_codes.contains(&it))
                    || (status == StatusCode::BAD_REQUEST
                        && (lacks_request_id(response)
                            || code.is_some_and(|it| ambiguous_codes.contains(&it))))
            }
        };
        is_other.then_some(Self::OtherEra)
    }
}

/// Returns `true` for the statuses of an unknown request. With them, servers reject a POST that they do not
/// support, or a request without a session.
fn is_unknown_request_status(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    )
}

/// Returns `true` if a response has no request id. Legacy servers reject requests without a session like that.
pub(crate) fn lacks_request_id(response: &Message) -> bool {
    response.id().is_none_or(|id| &id[..] == b"null")
}

/// Returns `true` if an error is about a missing session or a missing handshake. Legacy servers have no code for
/// that, so its text is searched.
fn reports_missing_session(response: &Message) -> bool {
    const SERVER_ERROR: i64 = -32000;
    let codes = [code::INVALID_REQUEST, SERVER_ERROR];
    let text = error_text(response).to_lowercase();
    response.error_code().is_some_and(|it| codes.contains(&it))
        && ["session", "initiali"].iter().any(|it| text.contains(it))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn has_hint(era: Era, status: u16, id: &Value, code: i64, text: &str) -> bool {
        let error = json!({"code": code, "message": text});
        let response = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string();
        let response = Message::parse(response).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        RefusalHint::from_response(era, status, &response).is_some()
    }

    #[test]
    fn a_refusal_of_another_era_is_recognized() {
        let (id, none) = (json!(7), Value::Null);
        let cases = [
            (Era::Modern, 400, &none, -32000, "No valid session ID", true),
            (Era::Modern, 400, &none, -32600, "Bad Request", true),
            (Era::Modern, 400, &id, -32600, "Not initialized", true),
            (Era::Modern, 404, &id, -32000, "Session not found", true),
            (Era::Modern, 400, &id, -32602, "no session named `x`", false),
            (Era::Modern, 400, &id, -32020, "Header mismatch", false),
            (Era::Modern, 404, &id, -32601, "Method not found", false),
            (Era::Modern, 200, &id, -32600, "Not initialized", false),
            (Era::Legacy, 400, &id, -32022, "Unsupported version", true),
            (Era::Legacy, 200, &id, -32021, "Missing capability", true),
            (Era::Legacy, 400, &id, -32602, "no `_meta`", true),
            (Era::Legacy, 200, &id, -32602, "no `city`", false),
            (Era::Legacy, 400, &id, -32603, "broken", false),
            (Era::Legacy, 200, &id, -32000, "no session", false),
        ];
        for (era, status, id, code, text, other) in cases {
            let found = has_hint(era, status, id, code, text);
            assert_eq!(found, other, "{era:?} {status} {id} {code} {text}");
        }
    }
}
