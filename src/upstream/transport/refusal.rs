//! What an answer with an error status says, and what to do about it.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use reqwest::Response;

use super::body::{Body, media_type};
use super::http::Http;
use super::refusal_hint::Hint;
use crate::protocol::Era;
use crate::protocol::reply::error_text;
use crate::upstream::error::TransportError;
use crate::upstream::error::retry_time::whole_seconds;
use crate::upstream::flow::deadline::Activity;
use crate::wire::Message;

/// How much of an error's body is read when it is no JSON.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// How much of an error's body goes into the message.
const ERROR_TEXT_CHARS: usize = 200;

/// What an answer with an error status says: a JSON-RPC message if its body is one
/// (modern servers send errors as 400 and 404, MCP 2026-07-28 § Streamable HTTP), with what it hints at
/// in answer to a request of this era; else the status.
pub(crate) async fn refused(
    response: Response,
    http: &Http,
    era: Era,
) -> Result<(Message, Option<Hint>), TransportError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Body::new(response, http, &Activity::default());
    if !body.media_type().contains("json") {
        body.limit = body.limit.min(ERROR_BODY_BYTES);
    }
    // Boxed: it is large, and on the path of every request, most of which are not refused.
    let body = Box::pin(body.whole()).await.unwrap_or_default();
    match Message::parse(body.clone()) {
        Ok(message) if message.error().is_some() => {
            let later = retry_after(status, &headers).map(Hint::Later);
            let hint = later.or_else(|| Hint::of_answer(era, status, &message));
            Ok((message, hint))
        }
        _ => Err(status_error(status, &headers, &body, http)),
    }
}

/// The same as an error, where a JSON-RPC message could not be passed on.
pub(crate) async fn refusal(response: Response, http: &Http) -> TransportError {
    let status = response.status();
    match refused(response, http, Era::Legacy).await {
        Ok((answer, hint)) => TransportError::Status {
            status,
            detail: format!(": {}", error_text(&answer)),
            retry_after: match hint {
                Some(Hint::Later(wait)) => Some(wait),
                _ => None,
            },
        },
        Err(error) => error,
    }
}

/// The error for an HTTP status.
pub(super) fn status_error(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    http: &Http,
) -> TransportError {
    if status == StatusCode::UNAUTHORIZED {
        return TransportError::LoginRequired;
    }
    let excerpt = http.mask(excerpt(headers, body));
    TransportError::Status {
        status,
        detail: excerpt + &remedy(status, headers, http),
        retry_after: retry_after(status, headers),
    }
}

/// How long to wait before a request is made again that was refused for the moment: seconds, or until
/// a date (RFC 9110 § 10.2.3).
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let refuses = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if !refuses.contains(&status) {
        return None;
    }
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(after).ok()?;
    // One that has passed is now.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What to do about an error status, after a semicolon.
fn remedy(status: StatusCode, headers: &HeaderMap, http: &Http) -> String {
    match (retry_after(status, headers), status) {
        (Some(after), _) => format!("; try again in {} s", whole_seconds(after)),
        (None, StatusCode::FORBIDDEN) if http.is_signed() => {
            "; does your account there have the permission?".to_owned()
        }
        (None, StatusCode::FORBIDDEN) => "; check the credentials in its `headers`".to_owned(),
        (
            None,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED,
        ) => "; are its `url` and `transport` right?".to_owned(),
        (None, StatusCode::TOO_MANY_REQUESTS) => "; try again later".to_owned(),
        (None, status) if status.is_server_error() => {
            "; the server is in trouble, try again later".to_owned()
        }
        _ => String::new(),
    }
}

/// The start of an error's body, where it is meant for a reader.
fn excerpt(headers: &HeaderMap, body: &[u8]) -> String {
    let readable = ["text/plain", "application/json", "application/problem+json"];
    if !readable.contains(&&*media_type(headers)) || body.trim_ascii().is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(body.trim_ascii());
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    format!(": {}", text.take(ERROR_TEXT_CHARS).collect::<String>())
}

/// Takes out the values of our own headers, should the upstream repeat them.
pub(super) fn mask(mut text: String, headers: &HeaderMap) -> String {
    let values = headers.values().filter(|value| value.is_sensitive());
    for value in values.filter_map(|value| value.to_str().ok()) {
        // `Bearer SECRET` may come back as `SECRET`.
        let secret = value.rsplit(' ').next().unwrap_or(value);
        for part in [value, secret].into_iter().filter(|part| part.len() > 3) {
            text = text.replace(part, "***");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn our_own_secrets_are_taken_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer hunter2"),
            ("x-key", "a b"),
            ("x-no", "1"),
        ] {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert("accept", HeaderValue::from_static("text/plain"));
        assert_eq!(
            mask(
                "1: `Bearer hunter2`, hunter2 or text/plain".to_owned(),
                &headers
            ),
            "1: `***`, *** or text/plain"
        );
    }
}
