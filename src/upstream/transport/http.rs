//! HTTP towards one upstream: its headers on every request, redirects within its origin only,
//! and a limit and a deadline on every body.

use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, Request, Response};
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use crate::config;
use crate::upstream::error::{TransportError, chain};
use crate::wire::Message;

/// How many redirects one request follows.
const MAX_REDIRECTS: usize = 3;

/// How much of an error's body is read when it is no JSON.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// How much of an error's body goes into the message.
const ERROR_TEXT_CHARS: usize = 200;

/// The HTTP side of one upstream.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    /// Moves on a redirect. std's Mutex: held for a clone, never across an await.
    url: Mutex<Url>,
    headers: HeaderMap,
    /// The largest message, in bytes.
    pub(crate) limit: usize,
    /// How long a request may go without a byte from the upstream.
    pub(crate) idle: Duration,
}

impl Http {
    pub(crate) fn new(client: Client, upstream: &config::Upstream, limit: usize) -> Self {
        Self {
            client,
            url: Mutex::new(upstream.url.as_url().clone()),
            headers: upstream.headers.clone(),
            limit,
            idle: upstream.timeout,
        }
    }

    /// The same upstream at another url of the same origin.
    pub(crate) fn at(&self, url: Url) -> Self {
        Self {
            client: self.client.clone(),
            url: Mutex::new(url),
            headers: self.headers.clone(),
            ..*self
        }
    }

    pub(crate) fn url(&self) -> Url {
        self.url
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The configured headers, to which a request adds its own.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends one request and waits for the head of the answer, whatever its status.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, TransportError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::new(method.clone(), self.url());
            request.headers_mut().clone_from(&headers);
            if !body.is_empty() {
                *request.body_mut() = Some(body.clone().into());
            }
            let response = timeout(self.idle, self.client.execute(request))
                .await
                .map_err(|_| TransportError::Timeout(self.idle))?
                .map_err(TransportError::from_http)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            self.follow(&response)?;
        }
        Err(TransportError::Redirect(
            "itself again and again".to_owned(),
        ))
    }

    /// 307 and 308 keep method and body (RFC 9110 § 15.4); no other redirect can mean a POST.
    fn follow(&self, response: &Response) -> Result<(), TransportError> {
        let here = self.url();
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| here.join(to).ok());
        let keeps_method = matches!(
            response.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        match to {
            Some(to) if keeps_method && to.origin() == here.origin() => {
                debug!(path = to.path(), "following a redirect");
                *self
                    .url
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) = to;
                Ok(())
            }
            Some(to) if to.origin() != here.origin() => {
                Err(TransportError::Redirect(to.origin().ascii_serialization()))
            }
            _ => Err(status_error(response.status(), &HeaderMap::new(), b"")),
        }
    }
}

/// The body of an answer, read within a limit and a deadline.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    pub(crate) limit: usize,
    idle: Duration,
}

impl Body {
    pub(crate) fn new(response: Response, http: &Http) -> Self {
        Self {
            response,
            limit: http.limit,
            idle: http.idle,
        }
    }

    /// A body that may stay silent for as long as it likes.
    pub(crate) fn patient(response: Response, http: &Http) -> Self {
        Self {
            response,
            limit: http.limit,
            idle: Duration::MAX,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn media_type(&self) -> String {
        media_type(self.response.headers())
    }

    /// The next bytes, or `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let chunk = self.response.chunk();
        let chunk = if self.idle == Duration::MAX {
            chunk.await
        } else {
            timeout(self.idle, chunk)
                .await
                .map_err(|_| TransportError::Timeout(self.idle))?
        };
        // A body that breaks off has nothing of a failed connection any more.
        chunk.map_err(|e| TransportError::Interrupted(chain(&e.without_url())))
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, TransportError> {
        let announced = self.response.content_length();
        if announced.is_some_and(|length| length > self.limit as u64) {
            return Err(TransportError::TooLarge(self.limit));
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        if announced == Some(first.len() as u64) {
            return Ok(first);
        }
        let expected = announced.map_or(first.len(), |length| length as usize);
        let mut all = BytesMut::with_capacity(expected.max(first.len()));
        let mut next = Some(first);
        while let Some(chunk) = next {
            if all.len() + chunk.len() > self.limit {
                return Err(TransportError::TooLarge(self.limit));
            }
            all.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(all.freeze())
    }
}

/// The media type of an answer, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// What an answer with an error status says: a JSON-RPC message if its body is one
/// (modern servers send errors as 400 and 404, MCP 2026-07-28 § Streamable HTTP), else the status.
pub(crate) async fn refused(response: Response, http: &Http) -> Result<Message, TransportError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Body::new(response, http);
    if !body.media_type().contains("json") {
        body.limit = body.limit.min(ERROR_BODY_BYTES);
    }
    let body = body.whole().await.unwrap_or_default();
    match Message::parse(body.clone()) {
        Ok(message) if message.error().is_some() => Ok(message),
        _ => Err(status_error(status, &headers, &body)),
    }
}

fn status_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> TransportError {
    if status == StatusCode::UNAUTHORIZED {
        return TransportError::LoginRequired;
    }
    let detail = excerpt(headers, body) + &remedy(status, headers);
    TransportError::Status { status, detail }
}

/// What to do about an error status, after a semicolon.
fn remedy(status: StatusCode, headers: &HeaderMap) -> String {
    // Seconds or a date (RFC 9110 § 10.2.3).
    let after = headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    match (after, status) {
        (Some(after), _) if after.parse::<u32>().is_ok() => format!("; try again in {after} s"),
        (Some(after), _) => format!("; try again after {after:.40}"),
        (None, StatusCode::FORBIDDEN) => "; check the credentials in its `headers`".to_owned(),
        (None, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
            "; is its url the MCP endpoint?".to_owned()
        }
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
