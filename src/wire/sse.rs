//! The event-stream parser (WHATWG HTML § 9.2.6): bytes in, complete events out.
//!
//! It buffers one event at a time and scans each byte once, whatever the chunks. An event is
//! complete with its blank line; an incomplete event at the end of a stream is dropped.
//! `data` is a slice of the received bytes, not a copy.

use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The largest buffer that is reused for later events, in bytes.
///
/// Otherwise one event of many megabytes would hold its memory for the life of the stream.
const MAX_RETAINED_BUFFER: usize = 64 * 1024;

/// One block of an event stream that carried data, an id or a retry time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event type; `None` means `message`, as does the name `message` itself.
    pub name: Option<String>,
    /// The data lines, joined by line feeds; `None` if the block had no data field.
    ///
    /// Not validated as UTF-8, since the JSON parser does that.
    /// It shares memory with neighbouring events until it is dropped.
    pub data: Option<Bytes>,
    /// The last event id set by this block; an empty id resets it.
    pub id: Option<String>,
    /// The delay before a reconnect, as set by this block.
    pub retry: Option<Duration>,
}

/// The reason why an event stream cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event exceeds the parser's limit.
    #[error("an event is longer than {limit} bytes")]
    TooLong {
        /// The limit for one event in bytes, including field names and line ends.
        limit: usize,
    },
    /// An event type or id cannot be decoded.
    #[error("an event's type or id is not UTF-8")]
    NotUtf8,
}

/// Splits an event stream into [`Event`]s.
///
/// Feed it with [`push`](Self::push), then call [`next_event`](Self::next_event) until it returns `None`.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    /// The bytes from the start of the current block.
    buffer: BytesMut,
    /// The start of the current line in `buffer`.
    line_start: usize,
    /// The position from which to search for the end of the current line.
    scanned: usize,
    /// The last line ended with CR, so a following LF belongs to it.
    after_cr: bool,
    /// At most a part of the byte order mark has been read.
    at_start: bool,
    block: Block,
    failed: Option<SseError>,
}

/// The fields of the block being read.
#[derive(Debug, Default)]
struct Block {
    name: Option<String>,
    data: Option<Range<usize>>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Parser {
    /// A parser at the start of a stream, for events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            line_start: 0,
            scanned: 0,
            after_cr: false,
            at_start: true,
            block: Block::default(),
            failed: None,
        }
    }

    /// Appends received bytes. Ignores them after an error.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// The number of buffered bytes.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Returns `true` if the buffer ends within an event or a line. Valid once
    /// [`next_event`](Self::next_event) has returned `None`.
    pub fn has_partial_event(&self) -> bool {
        !self.block.is_empty() || self.buffer.len() > self.line_start
    }

    /// Returns the next complete event, or `None` until more is pushed.
    ///
    /// # Errors
    /// [`SseError`]. The stream is then unusable, and every later call returns the same error.
    pub fn next_event(&mut self) -> Result<Option<Event>, SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read_block().inspect_err(|error| {
            self.failed = Some(*error);
            self.buffer = BytesMut::new();
        })
    }

    fn read_block(&mut self) -> Result<Option<Event>, SseError> {
        if self.at_start && !self.skip_byte_order_mark() {
            return Ok(None);
        }
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.read_field(line)?;
            }
        }
        Ok(None)
    }

    /// Returns `false` while the buffer may still become a byte order mark.
    fn skip_byte_order_mark(&mut self) -> bool {
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.advance(BYTE_ORDER_MARK.len());
        } else if BYTE_ORDER_MARK.starts_with(&self.buffer) {
            return false;
        }
        self.at_start = false;
        true
    }

    fn next_line(&mut self) -> Result<Option<Range<usize>>, SseError> {
        if self.after_cr {
            match self.buffer.get(self.line_start) {
                None => return Ok(None),
                Some(b'\n') => self.line_start += 1,
                Some(_) => {}
            }
            self.scanned = self.line_start;
            self.after_cr = false;
        }
        if self.block.is_empty() {
            // Comments between events, such as keep-alives, must not count towards the limit of an event.
            self.discard_read();
        }
        let found = memchr2(b'\n', b'\r', &self.buffer[self.scanned..]);
        let end = found.map_or(self.buffer.len(), |at| self.scanned + at);
        let length = end + usize::from(found.is_some());
        if length > self.limit {
            return Err(SseError::TooLong { limit: self.limit });
        }
        self.scanned = length;
        if found.is_none() {
            return Ok(None);
        }
        self.after_cr = self.buffer[end] == b'\r';
        Ok(Some(std::mem::replace(&mut self.line_start, length)..end))
    }

    fn read_field(&mut self, line: Range<usize>) -> Result<(), SseError> {
        let text = &self.buffer[line.clone()];
        let name_length = memchr(b':', text).unwrap_or(text.len());
        let skipped = match &text[name_length..] {
            [b':', b' ', ..] => 2,
            [b':', ..] => 1,
            _ => 0,
        };
        let (name, value) = (&text[..name_length], &text[name_length + skipped..]);
        match name {
            b"data" => {
                let start = line.start + name_length + skipped;
                self.add_data(start..line.end);
            }
            b"event" => self.block.name = Some(decode(value)?).filter(|name| !name.is_empty()),
            b"id" if memchr(0, value).is_none() => self.block.id = Some(decode(value)?),
            b"retry" => self.block.retry = milliseconds(value).or(self.block.retry),
            _ => {}
        }
        Ok(())
    }

    /// Appends a data line to the lines before it.
    ///
    /// The line moves down over the already parsed bytes between them. These are at least a line end and a
    /// field name, which leaves room for the line feed.
    fn add_data(&mut self, value: Range<usize>) {
        let Some(data) = &mut self.block.data else {
            self.block.data = Some(value);
            return;
        };
        let length = value.len();
        self.buffer[data.end] = b'\n';
        self.buffer.copy_within(value, data.end + 1);
        data.end += 1 + length;
    }

    /// Ends the block at its blank line.
    fn dispatch(&mut self) -> Option<Event> {
        let Block {
            name,
            data,
            id,
            retry,
        } = std::mem::take(&mut self.block);
        let data = match data {
            Some(data) => Some(self.split_block().slice(data)),
            None => {
                self.discard_read();
                None
            }
        };
        let is_event = data.is_some() || id.is_some() || retry.is_some();
        is_event.then_some(Event {
            name,
            data,
            id,
            retry,
        })
    }

    fn split_block(&mut self) -> Bytes {
        let block = self.buffer.split_to(self.line_start).freeze();
        if block.len() > MAX_RETAINED_BUFFER && self.buffer.len() <= MAX_RETAINED_BUFFER {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        self.line_start = 0;
        self.scanned = 0;
        block
    }

    /// Drops the lines read so far.
    fn discard_read(&mut self) {
        self.buffer.advance(self.line_start);
        self.scanned -= self.line_start;
        self.line_start = 0;
    }
}

impl Block {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.data.is_none() && self.id.is_none() && self.retry.is_none()
    }
}

fn decode(value: &[u8]) -> Result<String, SseError> {
    let text = simdutf8::basic::from_utf8(value).map_err(|_| SseError::NotUtf8)?;
    Ok(text.to_owned())
}

/// Parses a retry time. Anything but ASCII digits is ignored (§ 9.2.6), as is a number above `u64::MAX`.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(value).ok()?;
    digits.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
