//! The queue of lines for the client, with its size in bytes. One writer receives the lines.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::upstream::SendBuffer;
use crate::wire::Line;

/// The maximum number of queued lines. When the queue is full, senders wait until the client reads.
const MAX_QUEUED_LINES: usize = 256;

/// The sending end of the queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    lines: mpsc::Sender<Line>,
    send_buffer: Arc<SendBuffer>,
}

/// The receiving end of the queue, for the writer.
#[derive(Debug)]
pub struct QueuedLines {
    lines: mpsc::Receiver<Line>,
    send_buffer: Arc<SendBuffer>,
    /// Bytes received from the channel but not yet written to stdout.
    unwritten: usize,
}

/// Capacity for one line. Sending with a permit does not wait.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    inner: mpsc::Permit<'a, Line>,
    reserved: ReservedBytes<'a>,
}

/// Bytes that count as queued until this is dropped.
#[derive(Debug)]
struct ReservedBytes<'a> {
    send_buffer: &'a SendBuffer,
    bytes: usize,
}

impl Outbox {
    /// Creates both ends. `send_buffer` counts the queued bytes.
    #[must_use]
    pub fn new(send_buffer: Arc<SendBuffer>) -> (Self, QueuedLines) {
        let (sender, lines) = mpsc::channel(MAX_QUEUED_LINES);
        let outbox = Self {
            lines: sender,
            send_buffer: send_buffer.clone(),
        };
        let lines = QueuedLines {
            lines,
            send_buffer,
            unwritten: 0,
        };
        (outbox, lines)
    }

    /// The count of bytes that wait for the client.
    pub(crate) fn send_buffer(&self) -> &Arc<SendBuffer> {
        &self.send_buffer
    }

    /// Queues a line. Waits for capacity. Drops the line if the writer is gone, as the client is then gone, too.
    pub async fn send(&self, line: Line) {
        if let Some(permit) = self.reserve(line.len()).await {
            permit.send(line);
        }
    }

    /// Waits for capacity for one line of about this many bytes, which count at once. `None` if the writer is
    /// gone.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Permit<'_>> {
        self.send_buffer.add(bytes);
        let reserved = ReservedBytes {
            send_buffer: &self.send_buffer,
            bytes,
        };
        let inner = self.lines.reserve().await.ok()?;
        Some(Permit { inner, reserved })
    }
}

impl Permit<'_> {
    /// Queues the line.
    pub(crate) fn send(self, line: Line) {
        // Before the reserved bytes are dropped: the send buffer must not seem empty.
        self.reserved.send_buffer.add(line.len());
        self.inner.send(line);
    }
}

impl Drop for ReservedBytes<'_> {
    fn drop(&mut self) {
        self.send_buffer.sub(self.bytes);
    }
}

impl QueuedLines {
    /// Waits for the next line. `None` if all senders are dropped.
    pub async fn next(&mut self) -> Option<Line> {
        let line = self.lines.recv().await?;
        self.unwritten += line.len();
        Some(line)
    }

    /// Returns the next line, if one is queued.
    pub fn try_next(&mut self) -> Option<Line> {
        let line = self.lines.try_recv().ok()?;
        self.unwritten += line.len();
        Some(line)
    }

    /// Records that all lines received so far are written.
    pub fn mark_written(&mut self) {
        self.send_buffer.sub(std::mem::take(&mut self.unwritten));
    }
}
