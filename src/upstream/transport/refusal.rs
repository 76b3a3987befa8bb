//! The content of an answer with an error status.

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

/// How much of an error's body is read when it is no JSON.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// Reads an answer with an error status: a JSON-RPC message if its body is one (modern servers send errors
/// as 400 and 404, MCP 2026-07-28 § Streamable HTTP), with what it hints at in answer to a request of this
/// era.
///
/// # Errors
/// [`TransportError::Status`] or [`TransportError::CredentialsRequired`], when the body is no JSON-RPC error.
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
    // Boxed: it is large, and on the path of every request, most of which are not refused.
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

/// Reads an answer with an error status as an error, where a JSON-RPC message cannot be passed on.
pub(crate) async fn refusal_error(response: Response, http: &Http) -> TransportError {
    let status = response.status();
    match read_refusal(response, http, Era::Legacy).await {
        Ok((answer, hint)) => TransportError::Status {
            status,
            detail: format!(": {}", error_text(&answer)),
            retry_after: match hint {
                Some(RefusalHint::RetryAfter(wait)) => Some(wait),
                _ => None,
            },
        },
        Err(error) => error,
    }
}
