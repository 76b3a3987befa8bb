//! Reads responses with an error status.

use reqwest::Response;

use super::body::Body;
use super::http::Http;
use super::refusal_hint::RefusalHint;
use super::status::{retry_after, status_error};
use crate::protocol::Era;
use crate::protocol::reply::error_text;
use crate::upstream::error::TransportError;
use crate::upstream::flow::request_context::RequestContext;
use crate::wire::Message;

/// The number of bytes that are read of an error's body if it is not JSON.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// Reads the JSON-RPC error in a response with an error status. Also returns the error's hint for a request
/// of this era. Modern servers send errors as 400 and 404 (MCP 2026-07-28 § Streamable HTTP).
///
/// # Errors
/// [`TransportError::Status`] or [`TransportError::CredentialsRequired`], when the body is not a JSON-RPC error.
pub(crate) async fn read_refusal(
    response: Response,
    http: &Http,
    era: Era,
) -> Result<(Message, Option<RefusalHint>), TransportError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Body::new(response, http.limits(), &RequestContext::default());
    if !body.media_type().contains("json") {
        body.limit_message(ERROR_BODY_BYTES);
    }
    // Boxed: it is large, and on the path of every request.
    let body = Box::pin(body.read_all()).await.unwrap_or_default();
    match Message::parse(body.clone()) {
        Ok(message) if message.error().is_some() => {
            let later = retry_after(status, &headers).map(RefusalHint::RetryAfter);
            let hint = later.or_else(|| RefusalHint::from_response(era, status, &message));
            Ok((message, hint))
        }
        _ => Err(status_error(status, &headers, &body, http.redactor())),
    }
}

/// Reads a response with an error status as an error, for callers that cannot return a JSON-RPC error.
pub(crate) async fn refusal_error(response: Response, http: &Http) -> TransportError {
    let status = response.status();
    match read_refusal(response, http, Era::Legacy).await {
        Ok((message, hint)) => TransportError::Status {
            status,
            detail: format!(": {}", error_text(&message)),
            retry_after: match hint {
                Some(RefusalHint::RetryAfter(wait)) => Some(wait),
                _ => None,
            },
        },
        Err(error) => error,
    }
}
