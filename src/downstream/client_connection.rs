//! The connection of one client: reads its lines from one stream, and writes lines to another.
//!
//! On stdio there is one such client. A process can serve more, each on streams of its own.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::line_reader::{LineRead, LineReader};
use super::line_writer::write_lines;
use super::session::Session;
use super::stdio::{Sink, Source};
use crate::router::{Outbox, QueuedLines, Router};

/// Why the connection of a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// Writing to the client failed.
    WriteFailed,
    /// The client closed the stream that it reads.
    OutputClosed,
    /// The client closed the stream that it writes.
    InputClosed,
}

/// The connection of one client. Dropping it ends the client's session.
#[derive(Debug)]
pub struct ClientConnection {
    session: Session,
    lines: LineReader,
    limit: usize,
    writer: JoinHandle<io::Result<()>>,
}

impl ClientConnection {
    /// Opens a session at `router` for the client on these streams.
    ///
    /// A line may have up to `limit` bytes. `outbox` is the queue of lines to the client.
    #[must_use]
    pub fn open(
        router: &Router,
        outbox: (Outbox, QueuedLines),
        limit: usize,
        input: Source,
        output: Sink,
    ) -> Self {
        let (outbox, lines) = outbox;
        Self {
            session: Session::new(router.open_client(outbox.clone()), outbox),
            lines: LineReader::new(input, limit),
            limit,
            writer: tokio::spawn(write_lines(output, lines)),
        }
    }

    /// Serves the client until the connection ends.
    ///
    /// `closed` resolves when the client can no longer read. `prepare_for_line` runs before each line. When
    /// its input has ended, a slow client has `drain_timeout` to read the responses to its last line.
    pub async fn serve<F: Future<Output = ()>>(
        &mut self,
        closed: impl Future<Output = ()>,
        prepare_for_line: impl Fn() -> F,
        drain_timeout: Duration,
    ) -> DisconnectReason {
        let Self {
            session,
            lines,
            limit,
            writer,
        } = self;
        tokio::select! {
            biased;
            _ = writer => DisconnectReason::WriteFailed,
            // Notices a closed output without a write.
            () = closed => DisconnectReason::OutputClosed,
            () = read_lines(session, lines, *limit, prepare_for_line, drain_timeout) => DisconnectReason::InputClosed,
        }
    }

    /// Ends the session while the process keeps running: cancels the client's requests until `deadline`,
    /// and writes the last lines.
    pub async fn leave(self, deadline: Instant) {
        let Self {
            session, writer, ..
        } = self;
        session.leave(deadline - Instant::now()).await;
        finish_writing(writer, deadline).await;
    }

    /// Ends the session, and writes the last lines until `deadline`.
    pub async fn close(self, deadline: Instant) {
        let Self {
            session, writer, ..
        } = self;
        drop(session);
        finish_writing(writer, deadline).await;
    }
}

/// Waits until the last lines are written. All senders of lines must have been dropped.
async fn finish_writing(mut writer: JoinHandle<io::Result<()>>, deadline: Instant) {
    // The handle of a finished writer must not be polled again.
    if !writer.is_finished() && timeout_at(deadline, &mut writer).await.is_err() {
        writer.abort();
    }
}

/// Handles lines until the client closes its end.
async fn read_lines<F: Future<Output = ()>>(
    session: &Session,
    lines: &mut LineReader,
    limit: usize,
    prepare_for_line: impl Fn() -> F,
    drain_timeout: Duration,
) {
    loop {
        match lines.next().await {
            LineRead::Line(line) => {
                prepare_for_line().await;
                // Waits while the client does not read its responses.
                let handled = session.handle_line(line);
                tokio::select! {
                    biased;
                    () = handled => {}
                    () = wait_until_closed_and_drained(lines, drain_timeout) => return,
                }
            }
            LineRead::TooLong => session.reject_too_long(limit).await,
            LineRead::End => return,
        }
    }
}

/// Waits until the client closes its end, and then for `drain_timeout`: the client may still read responses.
async fn wait_until_closed_and_drained(lines: &mut LineReader, drain_timeout: Duration) {
    lines.wait_until_closed().await;
    sleep(drain_timeout).await;
}
