//! One client on a pair of streams: reads its lines, and writes what is for it.
//!
//! stdio has one such client. A process can serve more of them, each by streams of its own.

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

/// Why a client is served no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// Writing to the client failed.
    WriteFailed,
    /// The client closed the stream on which it reads.
    OutputClosed,
    /// The client closed the stream on which it writes.
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
    /// Opens a session at `router` for the client on these streams, whose lines may have up to `limit` bytes.
    /// `outbox` is the queue of what is written to it.
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

    /// Serves the client until it leaves. `closed` tells that nobody can read what is written to it;
    /// `prepare_for_line` goes before each of its lines. After the end of its input, a client that does not read
    /// has `drain_timeout` to take the answers to its last line.
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
            // Not only when there is something to write.
            () = closed => DisconnectReason::OutputClosed,
            () = read_lines(session, lines, *limit, prepare_for_line, drain_timeout) => DisconnectReason::InputClosed,
        }
    }

    /// Ends the client's part while the process goes on: cancels what is under way for it until `deadline`,
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

/// Waits until the last lines are written. What sends lines must be gone.
async fn finish_writing(mut writer: JoinHandle<io::Result<()>>, deadline: Instant) {
    // When it was the writer that ended, its handle must not be asked again.
    if !writer.is_finished() && timeout_at(deadline, &mut writer).await.is_err() {
        writer.abort();
    }
}

/// Takes lines until the client closes its end.
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
                // It waits when the client does not read its answers.
                let taken = session.handle_line(line);
                tokio::select! {
                    biased;
                    () = taken => {}
                    () = wait_until_closed_and_drained(lines, drain_timeout) => return,
                }
            }
            LineRead::TooLong => session.reject_too_long(limit).await,
            LineRead::End => return,
        }
    }
}

/// Waits until the client has closed its end, and then for the answers that it may still read.
async fn wait_until_closed_and_drained(lines: &mut LineReader, drain_timeout: Duration) {
    lines.wait_until_closed().await;
    sleep(drain_timeout).await;
}
