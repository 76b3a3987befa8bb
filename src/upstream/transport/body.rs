//! The bodies of answers, each within a limit and a deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use tokio::time::timeout;

use super::http::Http;
use crate::net::chain;
use crate::upstream::backlog::{Intake, LARGE, Large};
use crate::upstream::error::TransportError;

/// From this size on, in bytes, a body gets a block of memory that goes back to the system when it
/// is dropped. Freed blocks of a few megabytes stay in the heap for as long as the process lives.
const OWN_PAGES: u64 = 1 << 20;

/// Blocks above this size, in bytes, are always given back at once
/// (glibc's `DEFAULT_MMAP_THRESHOLD_MAX` is 32 MiB).
const GIVEN_BACK: u64 = 33 << 20;

/// The body of an answer, read within a limit and a deadline.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    pub(crate) limit: usize,
    idle: Duration,
    intake: Arc<Intake>,
}

impl Body {
    pub(crate) fn new(response: Response, http: &Http) -> Self {
        Self {
            response,
            limit: http.limit,
            idle: http.idle,
            intake: http.intake.clone(),
        }
    }

    /// A body that may stay silent for as long as it likes.
    pub(crate) fn patient(response: Response, http: &Http) -> Self {
        Self {
            response,
            limit: http.limit,
            idle: Duration::MAX,
            intake: http.intake.clone(),
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
        // It is not the upstream that is slow then.
        self.intake.room().await;
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

    /// Waits for a place for a message that has this many bytes so far and is to grow, if it needs one.
    /// A stream that may be silent in the midst of one must not hold a place.
    pub(super) async fn place(&self, bytes: usize) -> Option<Large> {
        match bytes >= LARGE && self.idle != Duration::MAX {
            // Boxed: it is large itself, and hardly ever needed.
            true => Some(Box::pin(self.intake.large()).await),
            false => None,
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, TransportError> {
        let announced = self.response.content_length();
        if announced.is_some_and(|length| length > self.limit as u64) {
            return Err(TransportError::TooLarge(self.limit));
        }
        let mut place = self.place(announced.unwrap_or(0) as usize).await;
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
            if place.is_none() {
                place = self.place(all.len()).await;
            }
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
