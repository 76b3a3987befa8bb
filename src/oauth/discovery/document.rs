//! One metadata document over HTTP: bounded in size and time, from its own origin, with nothing in
//! the request that anybody could abuse.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Response;
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use crate::net::{Clients, chain};
use crate::oauth::address::without_query;

/// The largest document, in bytes, decompressed: the largest that are published have a tenth of it.
pub(in crate::oauth) const MAX_BYTES: usize = 256 << 10;

/// How many redirects one document may take.
const MAX_REDIRECTS: usize = 3;

/// Why there is no document, as a clause.
#[derive(Debug)]
pub(in crate::oauth) enum Missing {
    /// The server says so, or sends us elsewhere.
    Absent(String),
    /// The server has trouble; it may be there the next time.
    Transient(String),
    /// Nothing came in time: so as well, but too dear to ask again at once.
    Silent(String),
    /// There is something that cannot be read.
    Unusable(String),
}

/// Reads what stands at `url`. The request has no credentials.
pub(in crate::oauth) async fn fetch(
    clients: &Clients,
    url: &Url,
    headers: &HeaderMap,
    patience: Duration,
) -> Result<Bytes, Missing> {
    let read = timeout(patience, read(clients, url.clone(), headers)).await;
    let read = read.unwrap_or_else(|_| {
        let seconds = patience.as_secs_f64();
        Err(Missing::Silent(format!("no answer for {seconds} s")))
    });
    let shown = without_query(url);
    match &read {
        Ok(body) => debug!(url = %shown, bytes = body.len(), "read metadata"),
        Err(missing) => debug!(url = %shown, ?missing, "no metadata"),
    }
    read
}

async fn read(clients: &Clients, mut url: Url, headers: &HeaderMap) -> Result<Bytes, Missing> {
    for _ in 0..=MAX_REDIRECTS {
        let client = clients.get(&url).await.map_err(broken)?;
        let request = client.get(url.clone()).headers(headers.clone());
        let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        match status {
            StatusCode::OK => return body(response).await,
            // Nothing is asked for here but to look elsewhere, whatever the method.
            _ if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                url = elsewhere(&url, &response)?;
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Missing::Transient(format!("HTTP {status}")));
            }
            _ if status.is_server_error() => {
                return Err(Missing::Transient(format!("HTTP {status}")));
            }
            _ => return Err(Missing::Absent(format!("HTTP {status}"))),
        }
    }
    Err(Missing::Absent("redirects again and again".to_owned()))
}

/// Where a redirect within the origin leads. Another origin would speak for one that never said so:
/// the well-known address is what ties a document to its server (RFC 8414 § 6.2, RFC 9728 § 7.3).
fn elsewhere(from: &Url, response: &Response) -> Result<Url, Missing> {
    let to = response.headers().get(LOCATION);
    let to = to.and_then(|to| from.join(to.to_str().ok()?).ok());
    match to {
        Some(to) if to.origin() == from.origin() => Ok(to),
        Some(to) if to.has_host() => {
            let origin = to.origin().ascii_serialization();
            Err(Missing::Absent(format!("redirects to `{origin}`")))
        }
        _ => Err(Missing::Absent("redirects to nowhere".to_owned())),
    }
}

/// Reads a body that is no larger than a document may be.
pub(in crate::oauth) async fn body(mut response: Response) -> Result<Bytes, Missing> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(Missing::Unusable(format!("more than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What the HTTP client reports, with its causes, without the address.
pub(in crate::oauth) fn broken(error: reqwest::Error) -> Missing {
    Missing::Transient(chain(&error.without_url()))
}
