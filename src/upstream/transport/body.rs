//! Reads the bodies of HTTP responses, with limits on size, silence and throughput.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::net::error_chain;
use crate::upstream::error::{MIN_THROUGHPUT, TransportError};
use crate::upstream::flow::backpressure::{LARGE_MESSAGE_BYTES, LargeBodyPermit, ReadGate, Reader};
use crate::upstream::flow::deadline::Activity;
use crate::upstream::flow::request_context::RequestContext;

/// The size in bytes from which a body is allocated with `mmap`. Its memory is returned to the system when
/// the body is dropped. Smaller freed blocks stay in the heap for the lifetime of the process.
const MIN_MMAP_BYTES: u64 = 1 << 20;

/// A block size in bytes that is always allocated with `mmap` (glibc's `DEFAULT_MMAP_THRESHOLD_MAX` is 32 MiB).
const MIN_MMAP_BLOCK_BYTES: u64 = 33 << 20;

/// The limits of the bodies of one upstream's responses.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    /// The largest message, in bytes.
    pub(crate) message: usize,
    /// The idle timeout, which long-lived bodies do not have.
    pub(crate) idle: Duration,
    /// The gate, closed while clients have too much unread data.
    pub(crate) read_gate: Arc<ReadGate>,
}

/// The body of an HTTP response.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    limits: BodyLimits,
    /// Whether the body has no idle timeout between messages.
    is_long_lived: bool,
    /// The activity of its request.
    activity: Activity,
    reader: Reader,
    /// The time at which the last bytes, or the head, arrived.
    last_byte: Instant,
    throughput: Option<Throughput>,
}

/// The received bytes of a message, and the time by which they must reach [`MIN_THROUGHPUT`].
#[derive(Debug)]
struct Throughput {
    deadline: Instant,
    received: usize,
}

impl Body {
    /// Returns the body of the response to a request.
    pub(crate) fn new(response: Response, limits: &BodyLimits, context: &RequestContext) -> Self {
        Self {
            response,
            limits: limits.clone(),
            is_long_lived: false,
            activity: context.activity.clone(),
            reader: Reader::for_request(context.send_buffer.as_ref()),
            last_byte: Instant::now(),
            throughput: None,
        }
    }

    /// Returns a body without an idle timeout between messages.
    pub(crate) fn long_lived(response: Response, limits: &BodyLimits, reader: Reader) -> Self {
        Self {
            is_long_lived: true,
            reader,
            ..Self::new(response, limits, &RequestContext::default())
        }
    }

    /// Assigns this body to the reader of another.
    pub(crate) fn use_reader_of(&mut self, other: &Self) {
        self.reader = other.reader.clone();
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn media_type(&self) -> String {
        media_type(self.response.headers())
    }

    /// Returns the size limit of a message, in bytes.
    pub(crate) fn message_limit(&self) -> usize {
        self.limits.message
    }

    /// Lowers the size limit of a message.
    pub(crate) fn limit_message(&mut self, bytes: usize) {
        self.limits.message = self.limits.message.min(bytes);
    }

    /// Resets the throughput at the end of a message.
    pub(crate) fn end_message(&mut self) {
        self.throughput = None;
    }

    /// Returns the idle timeout.
    pub(crate) fn idle(&self) -> Duration {
        self.limits.idle
    }

    /// Returns the time at which the last bytes arrived. Returns now while the gate is closed: the upstream may have
    /// sent bytes that were not read.
    pub(crate) fn last_byte(&self) -> Instant {
        match self.limits.read_gate.is_open(&self.reader) {
            true => self.last_byte,
            false => Instant::now(),
        }
    }

    /// Returns the next bytes, or `None` at the end. If `is_in_message`, they belong to a message that has begun, so
    /// that [`MIN_THROUGHPUT`] applies regardless of other activity. Cancel safe.
    pub(crate) async fn next_chunk(
        &mut self,
        is_in_message: bool,
    ) -> Result<Option<Bytes>, TransportError> {
        if self.limits.read_gate.wait_until_open(&self.reader).await {
            // Do not count the time in which the client was slow.
            (self.last_byte, self.throughput) = (Instant::now(), None);
        }
        let chunk = match is_in_message {
            true => self.receive_in_message().await?,
            false => {
                self.throughput = None;
                self.receive().await?
            }
        };
        // The connection was established, so this is never a failed attempt to connect.
        let chunk = chunk
            .map_err(|error| TransportError::Interrupted(error_chain(&error.without_url())))?;
        self.last_byte = Instant::now();
        self.activity.touch();
        if let (Some(throughput), Some(chunk)) = (&mut self.throughput, &chunk) {
            throughput.received += chunk.len();
            if throughput.received >= MIN_THROUGHPUT {
                self.throughput = None;
            }
        }
        Ok(chunk)
    }

    async fn receive(&mut self) -> Result<reqwest::Result<Option<Bytes>>, TransportError> {
        if self.is_long_lived {
            return Ok(self.response.chunk().await);
        }
        let started = Instant::now();
        let mut deadline = started + self.limits.idle;
        loop {
            if let Ok(chunk) = timeout_at(deadline, self.response.chunk()).await {
                return Ok(chunk);
            }
            deadline = self
                .activity
                .last()
                .map_or(started, |last| last.max(started))
                + self.limits.idle;
            if deadline <= Instant::now() {
                return Err(TransportError::IdleTimeout(self.limits.idle));
            }
        }
    }

    async fn receive_in_message(
        &mut self,
    ) -> Result<reqwest::Result<Option<Bytes>>, TransportError> {
        let throughput = self.throughput.get_or_insert_with(|| Throughput {
            deadline: Instant::now() + self.limits.idle,
            received: 0,
        });
        let (deadline, is_silent) = (throughput.deadline, throughput.received == 0);
        let chunk = timeout_at(deadline, self.response.chunk()).await;
        chunk.map_err(|_| {
            // If the request keeps waiting, the time starts again.
            self.throughput = None;
            match is_silent {
                true => TransportError::IdleTimeout(self.limits.idle),
                false => TransportError::TooSlow(self.limits.idle),
            }
        })
    }

    /// Returns an error if the body has a compression that was not requested. Requested ones are decoded by the HTTP
    /// client.
    pub(crate) fn check_encoding(&self) -> Result<(), TransportError> {
        let encoding = self.response.headers().get(CONTENT_ENCODING);
        let encoding = encoding.map(|encoding| String::from_utf8_lossy(encoding.as_bytes()));
        match encoding {
            Some(name) if !name.trim().is_empty() && !name.eq_ignore_ascii_case("identity") => {
                Err(TransportError::Malformed(format!(
                    "compressed as `{name:.40}`, which was not requested; turn that off at the server"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the permit of an incomplete message with this many bytes, if it is large.
    ///
    /// A long-lived stream gets none: it may be silent in the middle of a message.
    pub(super) async fn large_permit(&self, bytes: usize) -> Option<LargeBodyPermit> {
        match bytes >= LARGE_MESSAGE_BYTES && !self.is_long_lived {
            // Boxed: it is large and rarely needed.
            true => Some(Box::pin(self.limits.read_gate.acquire_large_permit(&self.reader)).await),
            false => None,
        }
    }

    /// Reads the whole body.
    pub(crate) async fn read_all(mut self) -> Result<Bytes, TransportError> {
        self.check_encoding()?;
        let announced = self.response.content_length();
        if announced.is_some_and(|length| length > self.limits.message as u64) {
            return Err(TransportError::TooLarge(self.limits.message));
        }
        let mut permit = self.large_permit(announced.unwrap_or(0) as usize).await;
        let Some(first) = self.next_chunk(false).await? else {
            return Ok(Bytes::new());
        };
        if announced == Some(first.len() as u64) {
            return Ok(first);
        }
        let mut all = BytesMut::with_capacity(match announced {
            Some(length) if length < MIN_MMAP_BYTES => length as usize,
            // Untouched pages take no memory.
            Some(length) => length.max(MIN_MMAP_BLOCK_BYTES) as usize,
            None => first.len(),
        });
        let mut next = Some(first);
        while let Some(chunk) = next {
            if all.len() + chunk.len() > self.limits.message {
                return Err(TransportError::TooLarge(self.limits.message));
            }
            all.extend_from_slice(&chunk);
            if permit.is_none() {
                permit = self.large_permit(all.len()).await;
            }
            next = self.next_chunk(true).await?;
        }
        Ok(all.freeze())
    }
}

/// Returns the media type of a response in lower case, without parameters.
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
