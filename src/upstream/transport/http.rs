//! HTTP towards one upstream: its headers on every request, redirects within its origin only,
//! and a limit and a deadline on every body.

use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, Request, Response};
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use super::refusal::status_error;
use crate::config;
use crate::net::chain;
use crate::upstream::error::TransportError;

/// How many redirects one request follows.
const MAX_REDIRECTS: usize = 3;

/// From this size on, in bytes, a body gets a block of memory that goes back to the system when it
/// is dropped. Freed blocks of a few megabytes stay in the heap for as long as the process lives.
const OWN_PAGES: u64 = 1 << 20;

/// Blocks above this size, in bytes, are always given back at once
/// (glibc's `DEFAULT_MMAP_THRESHOLD_MAX` is 32 MiB).
const GIVEN_BACK: u64 = 33 << 20;

/// The HTTP side of one upstream.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    /// Moves on a redirect. std's Mutex: held for a clone, never across an await.
    url: Mutex<Url>,
    pub(super) headers: HeaderMap,
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
    /// `headers` are made anew for every redirect.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: impl Fn() -> HeaderMap,
        body: Bytes,
    ) -> Result<Response, TransportError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::new(method.clone(), self.url());
            *request.headers_mut() = headers();
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
            _ => Err(status_error(
                response.status(),
                &HeaderMap::new(),
                b"",
                self,
            )),
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
        let mut all = BytesMut::with_capacity(match announced {
            Some(length) if length < OWN_PAGES => length as usize,
            // Pages that stay untouched cost nothing.
            Some(length) => length.max(GIVEN_BACK) as usize,
            None => first.len(),
        });
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
