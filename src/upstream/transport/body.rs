//! The bodies of answers: no larger than a message may be, not silent for too long, and no slower than
//! a least pace.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::http::Http;
use crate::net::chain;
use crate::upstream::error::{MIN_THROUGHPUT, TransportError};
use crate::upstream::flow::backpressure::{LARGE, LargeBodyPermit, ReadGate};
use crate::upstream::flow::deadline::Activity;

/// From this size on, in bytes, a body gets a block of memory that goes back to the system when it
/// is dropped. Freed blocks of a few megabytes stay in the heap for as long as the process lives.
const OWN_PAGES: u64 = 1 << 20;

/// Blocks above this size, in bytes, are always given back at once
/// (glibc's `DEFAULT_MMAP_THRESHOLD_MAX` is 32 MiB).
const GIVEN_BACK: u64 = 33 << 20;

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    /// The largest message in it, in bytes.
    pub(crate) limit: usize,
    idle: Duration,
    /// Whether it may stay silent between its messages for as long as it likes.
    is_patient: bool,
    /// The request that it answers.
    activity: Activity,
    /// When its last bytes came, or its head.
    heard: Instant,
    pace: Option<Pace>,
    read_gate: Arc<ReadGate>,
}

/// How much has come of a message since when.
#[derive(Debug)]
struct Pace {
    due: Instant,
    received: usize,
}

impl Body {
    /// The answer to a request whose signs of life are these.
    pub(crate) fn new(response: Response, http: &Http, activity: &Activity) -> Self {
        Self {
            response,
            limit: http.limit,
            idle: http.deadlines.idle,
            is_patient: false,
            activity: activity.clone(),
            heard: Instant::now(),
            pace: None,
            read_gate: http.read_gate.clone(),
        }
    }

    /// A body that may stay silent between its messages for as long as it likes.
    pub(crate) fn patient(response: Response, http: &Http) -> Self {
        Self {
            is_patient: true,
            ..Self::new(response, http, &Activity::default())
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn media_type(&self) -> String {
        media_type(self.response.headers())
    }

    /// A message is complete; the next has a pace of its own.
    pub(crate) fn complete(&mut self) {
        self.pace = None;
    }

    /// How long the upstream may be silent while somebody waits for it.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// When its last bytes came; now, while it is not read since the client does not read: what there is to
    /// come nobody knows then.
    pub(crate) fn heard(&self) -> Instant {
        match self.read_gate.is_open() {
            true => self.heard,
            false => Instant::now(),
        }
    }

    /// The next bytes, or `None` at the end. `is_within`: whether they belong to a message that has
    /// begun, which must come on at a least pace, whatever else shows life. Cancel safe.
    pub(crate) async fn chunk(&mut self, is_within: bool) -> Result<Option<Bytes>, TransportError> {
        if self.read_gate.ready().await {
            // It was the client who was slow.
            (self.heard, self.pace) = (Instant::now(), None);
        }
        let chunk = match is_within {
            true => self.next_within().await?,
            false => {
                self.pace = None;
                self.next().await?
            }
        };
        // A body that breaks off has nothing of a failed connection any more.
        let chunk =
            chunk.map_err(|error| TransportError::Interrupted(chain(&error.without_url())))?;
        self.heard = Instant::now();
        self.activity.touch();
        if let (Some(pace), Some(chunk)) = (&mut self.pace, &chunk) {
            pace.received += chunk.len();
            if pace.received >= MIN_THROUGHPUT {
                self.pace = None;
            }
        }
        Ok(chunk)
    }

    async fn next(&mut self) -> Result<reqwest::Result<Option<Bytes>>, TransportError> {
        if self.is_patient {
            return Ok(self.response.chunk().await);
        }
        let begun = Instant::now();
        let mut due = begun + self.idle;
        loop {
            if let Ok(chunk) = timeout_at(due, self.response.chunk()).await {
                return Ok(chunk);
            }
            due = self.activity.last().map_or(begun, |last| last.max(begun)) + self.idle;
            if due <= Instant::now() {
                return Err(TransportError::Timeout(self.idle));
            }
        }
    }

    async fn next_within(&mut self) -> Result<reqwest::Result<Option<Bytes>>, TransportError> {
        let pace = self.pace.get_or_insert_with(|| Pace {
            due: Instant::now() + self.idle,
            received: 0,
        });
        let (due, is_silent) = (pace.due, pace.received == 0);
        let chunk = timeout_at(due, self.response.chunk()).await;
        chunk.map_err(|_| {
            // Whoever waits on gives it as long again.
            self.pace = None;
            match is_silent {
                true => TransportError::Timeout(self.idle),
                false => TransportError::TooSlow(self.idle),
            }
        })
    }

    /// An error where the body is compressed in a way that was not asked for. What was asked for is
    /// unpacked on its way here.
    pub(crate) fn check_encoding(&self) -> Result<(), TransportError> {
        let encoding = self.response.headers().get(CONTENT_ENCODING);
        let encoding = encoding.map(|encoding| String::from_utf8_lossy(encoding.as_bytes()));
        match encoding {
            Some(name) if !name.trim().is_empty() && !name.eq_ignore_ascii_case("identity") => {
                Err(TransportError::Malformed(format!(
                    "it is compressed as `{name:.40}`, which was not asked for; \
                     turn that off at the server"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Waits for a place for a message that has this many bytes so far and is to grow, if it needs one.
    /// A stream that may be silent in the midst of one must not hold a place.
    pub(super) async fn place(&self, bytes: usize) -> Option<LargeBodyPermit> {
        match bytes >= LARGE && !self.is_patient {
            // Boxed: it is large itself, and hardly ever needed.
            true => Some(Box::pin(self.read_gate.large()).await),
            false => None,
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, TransportError> {
        self.check_encoding()?;
        let announced = self.response.content_length();
        if announced.is_some_and(|length| length > self.limit as u64) {
            return Err(TransportError::TooLarge(self.limit));
        }
        let mut place = self.place(announced.unwrap_or(0) as usize).await;
        let Some(first) = self.chunk(false).await? else {
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
            next = self.chunk(true).await?;
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
