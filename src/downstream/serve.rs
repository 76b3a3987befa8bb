//! Serves one client over any two streams: what a front does once it has a connection to a client.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::session::Session;
use super::stdin::{Read, Stdin};
use super::stdout::write_lines;
use crate::router::{Lines, Outbox, Router};

/// How long the end of a client may take: its calls are cancelled, and its last lines are written.
const END_GRACE: Duration = Duration::from_secs(2);

/// Serves a client of `router` until it closes `reader`, or no longer reads from `writer`; then it leaves, and
/// the router's other clients go on. Lines may be as long as `limit` bytes; those for the client go by
/// `outbox`.
///
/// # Errors
/// [`io::Error`], if the client no longer reads.
pub async fn serve(
    router: &Router,
    (outbox, lines): (Outbox, Lines),
    reader: impl AsyncRead + Send + 'static,
    writer: impl AsyncWrite + Send + 'static,
    limit: usize,
) -> io::Result<()> {
    let session = Session::new(router.open_client(outbox.clone()), outbox);
    let mut writing = std::pin::pin!(write_lines(Box::pin(writer), lines));
    let written = tokio::select! {
        written = &mut writing => Some(written),
        () = read(&session, Stdin::from_reader(reader, limit), limit) => None,
    };
    session.leave(END_GRACE).await;
    match written {
        Some(written) => written,
        // The last senders go with the client's calls.
        None => timeout(END_GRACE, writing).await.unwrap_or(Ok(())),
    }
}

async fn read(session: &Session, mut lines: Stdin, limit: usize) {
    loop {
        match lines.next().await {
            Read::Line(line) => session.take(line).await,
            Read::TooLong => session.too_long(limit).await,
            Read::End => return,
        }
    }
}
