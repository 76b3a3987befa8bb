//! The errors for HTTP error statuses: an excerpt of the body without secrets, and the remedy.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::body::media_type;
use crate::oauth::Authorizer;
use crate::upstream::error::TransportError;
use crate::upstream::error::retry_time::whole_seconds;

/// The number of characters of an error's body that an error text includes.
const ERROR_TEXT_CHARS: usize = 200;

/// Redacts the secrets in requests to one upstream, which its responses may repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redactor<'a> {
    /// The configured headers.
    pub(crate) headers: &'a HeaderMap,
    /// The authorizer that signs the requests.
    pub(crate) authorizer: Option<&'a Authorizer>,
}

impl Redactor<'_> {
    /// Replaces the secrets in a text.
    fn redact(self, text: String) -> String {
        let text = redact_headers(text, self.headers);
        match self.authorizer {
            Some(authorizer) => authorizer.mask(text),
            None => text,
        }
    }

    /// Returns `true` if the requests have the access token of a sign-in.
    fn is_signed_in(self) -> bool {
        self.authorizer.is_some_and(Authorizer::is_signed_in)
    }
}

/// Returns the error for an HTTP status, with an excerpt of the body.
pub(crate) fn status_error(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    redactor: Redactor<'_>,
) -> TransportError {
    if status == StatusCode::UNAUTHORIZED {
        return TransportError::CredentialsRequired;
    }
    let excerpt = redactor.redact(excerpt(headers, body));
    TransportError::Status {
        status,
        detail: excerpt + &remedy(status, headers, redactor),
        retry_after: retry_after(status, headers),
    }
}

/// Returns the `Retry-After` of a 429 or 503, which is in seconds or a date (RFC 9110 § 10.2.3).
pub(crate) fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
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
    // A date in the past means now.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Returns the remedy for an error status, after a semicolon.
fn remedy(status: StatusCode, headers: &HeaderMap, redactor: Redactor<'_>) -> String {
    match (retry_after(status, headers), status) {
        (Some(after), _) => format!("; try again in {} s", whole_seconds(after)),
        (None, StatusCode::FORBIDDEN) if redactor.is_signed_in() => {
            "; check that your account there has the permission".to_owned()
        }
        (None, StatusCode::FORBIDDEN) => "; check the credentials in its `headers`".to_owned(),
        (
            None,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED,
        ) => "; check its `url` and `transport`".to_owned(),
        (None, StatusCode::TOO_MANY_REQUESTS) => "; try again later".to_owned(),
        (None, status) if status.is_server_error() => "; try again later".to_owned(),
        _ => String::new(),
    }
}

/// Returns the start of an error's body, if it is text or JSON.
fn excerpt(headers: &HeaderMap, body: &[u8]) -> String {
    let readable = ["text/plain", "application/json", "application/problem+json"];
    if !readable.contains(&&*media_type(headers)) || body.trim_ascii().is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(body.trim_ascii());
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    format!(": {}", text.take(ERROR_TEXT_CHARS).collect::<String>())
}

/// Replaces the values of secret headers.
fn redact_headers(mut text: String, headers: &HeaderMap) -> String {
    let values = headers.values().filter(|value| value.is_sensitive());
    for value in values.filter_map(|value| value.to_str().ok()) {
        // The server may repeat `Bearer SECRET` as `SECRET`.
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
    fn configured_secrets_are_redacted() {
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
        let redactor = Redactor {
            headers: &headers,
            authorizer: None,
        };
        assert_eq!(
            redactor.redact("1: `Bearer hunter2`, hunter2 or text/plain".to_owned()),
            "1: `***`, *** or text/plain"
        );
    }
}
