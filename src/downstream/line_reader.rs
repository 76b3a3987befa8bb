//! Reads lines from the client.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use tokio::io::AsyncReadExt;

use super::stdio::Source;

/// How many bytes are read at once while lines are short.
const READ_BYTES: usize = 64 << 10;

/// How often to check whether the client has closed its end, while its lines are not read. The system
/// reports the end of a stream only after the unread bytes before it.
const CLOSED_CHECK: Duration = Duration::from_millis(100);

/// The outcome of reading one line.
#[derive(Debug, PartialEq, Eq)]
pub enum LineRead {
    /// A line without its line break.
    Line(Bytes),
    /// A line over the limit was skipped.
    TooLong,
    /// The client closed its end, or reading failed.
    End,
}

/// Splits the bytes from a client into lines, without copying them.
pub struct LineReader {
    source: Source,
    buffer: BytesMut,
    /// How many bytes of `buffer` are known to have no line break.
    scanned: usize,
    limit: usize,
    /// Whether the rest of a line over the limit is still to be skipped.
    is_skipping: bool,
}

impl LineReader {
    /// Reads lines of up to `limit` bytes from `source`.
    #[must_use]
    pub fn new(source: Source, limit: usize) -> Self {
        Self {
            source,
            buffer: BytesMut::new(),
            scanned: 0,
            limit,
            is_skipping: false,
        }
    }

    /// Returns the next line. Cancel safe. An unterminated last line counts.
    pub async fn next(&mut self) -> LineRead {
        loop {
            if let Some(read) = self.next_buffered() {
                return read;
            }
            // The read size doubles for a long line, so that the line is moved few times.
            self.buffer.reserve(READ_BYTES.max(self.buffer.len()));
            match self.source.read_buf(&mut self.buffer).await {
                Ok(read) if read > 0 => {}
                _ if self.buffer.is_empty() || self.is_skipping => return LineRead::End,
                _ => {
                    self.scanned = 0;
                    return LineRead::Line(self.buffer.split().freeze());
                }
            }
        }
    }

    /// Waits until the client has closed its end, even if lines are unread.
    pub async fn wait_until_closed(&mut self) {
        while !self.source.is_closed() {
            tokio::time::sleep(CLOSED_CHECK).await;
        }
    }

    fn next_buffered(&mut self) -> Option<LineRead> {
        while let Some(found) = memchr(b'\n', &self.buffer[self.scanned..]) {
            let line = self.buffer.split_to(self.scanned + found + 1).freeze();
            self.scanned = 0;
            if std::mem::take(&mut self.is_skipping) {
                continue;
            }
            if line.len() - 1 > self.limit {
                return Some(LineRead::TooLong);
            }
            return Some(LineRead::Line(line.slice(..line.len() - 1)));
        }
        self.scanned = self.buffer.len();
        if self.is_skipping || self.scanned > self.limit {
            self.buffer.clear();
            self.scanned = 0;
            return (!std::mem::replace(&mut self.is_skipping, true)).then_some(LineRead::TooLong);
        }
        None
    }
}

impl std::fmt::Debug for LineReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineReader")
            .field("buffered", &self.buffer.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &'static [u8], limit: usize) -> Vec<LineRead> {
        let mut reader = LineReader::new(Source::from_reader(input), limit);
        let mut all = Vec::new();
        loop {
            match reader.next().await {
                LineRead::End => return all,
                read => all.push(read),
            }
        }
    }

    fn line(text: &'static str) -> LineRead {
        LineRead::Line(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn an_unterminated_last_line_counts() {
        assert_eq!(
            all(b"a\n\nbc\r\nd", 10).await,
            [line("a"), line(""), line("bc\r"), line("d")]
        );
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped() {
        assert_eq!(
            all(b"12345\n123456\nok\n", 5).await,
            [line("12345"), LineRead::TooLong, line("ok")]
        );
        assert_eq!(all(b"123456", 5).await, [LineRead::TooLong]);
    }

    #[tokio::test]
    async fn a_long_line_may_arrive_in_pieces() {
        let (mut client_end, proxy_end) = tokio::io::duplex(7);
        let mut reader = LineReader::new(Source::from_reader(proxy_end), 1000);
        let write = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(
                &mut client_end,
                &[&[b'x'; 900][..], b"\ny\n", &[b'z'; 2000], b"\nq"].concat(),
            )
            .await
        });
        assert_eq!(reader.next().await, LineRead::Line(vec![b'x'; 900].into()));
        assert_eq!(reader.next().await, line("y"));
        assert_eq!(reader.next().await, LineRead::TooLong);
        assert_eq!(reader.next().await, line("q"));
        assert_eq!(reader.next().await, LineRead::End);
        write.await.unwrap().unwrap();
    }
}
