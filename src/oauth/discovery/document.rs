//! Fetches one metadata document: limited in size and time, from one origin, without credentials.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Response;
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use crate::net::{Clients, error_chain};
use crate::oauth::address::without_query;

/// The largest document, in bytes, decompressed: ten times the largest that are published.
pub(in crate::oauth) const MAX_BYTES: usize = 256 << 10;

/// The most redirects for one document.
const MAX_REDIRECTS: usize = 3;

/// Why there is no document, as a clause.
#[derive(Debug)]
pub(in crate::oauth) enum FetchError {
    /// The server has no document, or redirects to another origin.
    NotFound(String),
    /// The server fails temporarily; a retry may succeed.
    Transient(String),
    /// No response in time; temporary, but too slow for an immediate retry.
    TimedOut(String),
    /// The document cannot be read.
    Unusable(String),
}

/// Fetches the document at `url`, without credentials.
pub(in crate::oauth) async fn fetch(
    clients: &Clients,
    url: &Url,
    headers: &HeaderMap,
    document_timeout: Duration,
) -> Result<Bytes, FetchError> {
    let read = timeout(
        document_timeout,
        fetch_following_redirects(clients, url.clone(), headers),
    )
    .await;
    let read = read.unwrap_or_else(|_| {
        let seconds = document_timeout.as_secs_f64();
        Err(FetchError::TimedOut(format!("no answer for {seconds} s")))
    });
    let shown = without_query(url);
    match &read {
        Ok(body) => debug!(url = %shown, bytes = body.len(), "read metadata"),
        Err(error) => debug!(url = %shown, ?error, "no metadata"),
    }
    read
}

async fn fetch_following_redirects(
    clients: &Clients,
    mut url: Url,
    headers: &HeaderMap,
) -> Result<Bytes, FetchError> {
    for _ in 0..=MAX_REDIRECTS {
        let client = clients.get(&url).await.map_err(transport_error)?;
        let request = client.get(url.clone()).headers(headers.clone());
        let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
        let response = request.send().await.map_err(transport_error)?;
        let status = response.status();
        match status {
            StatusCode::OK => return read_body(response).await,
            // Every redirect is followed as a GET, whatever its status.
            _ if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                url = redirect_target(&url, &response)?;
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::Transient(format!("HTTP {status}")));
            }
            _ if status.is_server_error() => {
                return Err(FetchError::Transient(format!("HTTP {status}")));
            }
            _ => return Err(FetchError::NotFound(format!("HTTP {status}"))),
        }
    }
    Err(FetchError::NotFound("too many redirects".to_owned()))
}

/// Returns the target of a redirect within the origin. Another origin has no authority: the
/// well-known address ties a document to its server (RFC 8414 § 6.2, RFC 9728 § 7.3).
fn redirect_target(from: &Url, response: &Response) -> Result<Url, FetchError> {
    let to = response.headers().get(LOCATION);
    let to = to.and_then(|to| from.join(to.to_str().ok()?).ok());
    match to {
        Some(to) if to.origin() == from.origin() => Ok(to),
        Some(to) if to.has_host() => {
            let origin = to.origin().ascii_serialization();
            Err(FetchError::NotFound(format!("redirects to `{origin}`")))
        }
        _ => Err(FetchError::NotFound(
            "redirects to an invalid address".to_owned(),
        )),
    }
}

/// Reads a body of at most [`MAX_BYTES`].
pub(in crate::oauth) async fn read_body(mut response: Response) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::Unusable(format!("more than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Converts an error of the HTTP client, with its causes and without the address.
pub(in crate::oauth) fn transport_error(error: reqwest::Error) -> FetchError {
    FetchError::Transient(error_chain(&error.without_url()))
}
