//! The queue of lines for the client, and the number of its bytes. One writer sends them.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::upstream::SendBuffer;
use crate::wire::Line;

/// How many lines may wait for the client to read them. When it reads no further,
/// whatever produces lines waits.
const MAX_QUEUED_LINES: usize = 256;

/// Where lines for the client go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    lines: mpsc::Sender<Line>,
    send_buffer: Arc<SendBuffer>,
}

/// The other end, for the writer.
#[derive(Debug)]
pub struct QueuedLines {
    lines: mpsc::Receiver<Line>,
    send_buffer: Arc<SendBuffer>,
    /// Bytes received from the channel but not yet written to stdout.
    unwritten: usize,
}

/// A place in the outbox for one line, which is sent by it at once.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    inner: mpsc::Permit<'a, Line>,
    reserved: ReservedBytes<'a>,
}

/// Bytes that wait, unless they are given up.
#[derive(Debug)]
struct ReservedBytes<'a> {
    send_buffer: &'a SendBuffer,
    bytes: usize,
}

impl Outbox {
    /// Both ends. What waits is counted in `send_buffer`.
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

    /// What waits for the client.
    pub(crate) fn send_buffer(&self) -> &Arc<SendBuffer> {
        &self.send_buffer
    }

    /// Queues a line; waits for a place. Without a writer, and so without a client, it goes nowhere.
    pub async fn send(&self, line: Line) {
        if let Some(permit) = self.reserve(line.len()).await {
            permit.send(line);
        }
    }

    /// Waits for a place for a line of about this many bytes, which count from now on; `None` without a writer.
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
        // Before the place is given up, lest the send buffer seems to be empty.
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
    /// The next line; `None` when all who could send one are gone.
    pub async fn next(&mut self) -> Option<Line> {
        let line = self.lines.recv().await?;
        self.unwritten += line.len();
        Some(line)
    }

    /// The next line, if one is ready.
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
