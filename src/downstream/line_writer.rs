//! Writes lines to the client. Nothing else may write to that stream.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::io::AsyncWriteExt;

use super::stdio::Sink;
use crate::router::QueuedLines;
use crate::wire::Line;

/// Lines up to this size are gathered into one write; larger ones are written as they are.
const GATHER_BYTES: usize = 64 << 10;

/// How many yields in a row may produce no line before the gathered lines are written. A line of an event
/// stream takes two yields: one for the connection's task, one for the call's.
const IDLE_YIELDS: usize = 2;

/// The maximum number of yields for which a line waits.
const MAX_YIELDS: usize = 64;

/// Writes lines until all senders are gone.
///
/// All lines that are ready go out in one write. After a notification, the writer yields to the tasks that
/// are ready and gathers their lines too. An event stream arrives chunk by chunk, and a write for each chunk
/// would double the work.
///
/// # Errors
/// [`io::Error`], when the client no longer reads.
pub(super) async fn write_lines(mut output: Sink, mut lines: QueuedLines) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(GATHER_BYTES);
    while let Some(line) = lines.next().await {
        let mut next = Some(line);
        let mut yields = 0;
        while let Some(line) = next {
            let line = line.strip_line_breaks();
            if line.len() > GATHER_BYTES {
                output.write_all(&buffer).await?;
                buffer.clear();
                write_line(&mut output, &line).await?;
            } else {
                line.append_to(&mut buffer);
            }
            next = match buffer.len() < GATHER_BYTES {
                true if line.is_passthrough() => next_within_yields(&mut lines, &mut yields).await,
                true => lines.try_next(),
                false => None,
            };
        }
        output.write_all(&buffer).await?;
        output.flush().await?;
        buffer.clear();
        lines.mark_written();
    }
    Ok(())
}

/// Returns the next line if one is ready, or becomes ready within the yields that are left.
async fn next_within_yields(lines: &mut QueuedLines, yields: &mut usize) -> Option<Line> {
    for _ in 0..IDLE_YIELDS {
        let line = lines.try_next();
        if line.is_some() || *yields == MAX_YIELDS {
            return line;
        }
        *yields += 1;
        yield_once().await;
    }
    lines.try_next()
}

/// Yields once to all tasks that are ready. Unlike `tokio::task::yield_now`, this does not make the
/// runtime poll the system for events first.
async fn yield_once() {
    let mut have_run = false;
    poll_fn(|context| {
        if have_run {
            return Poll::Ready(());
        }
        have_run = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn write_line(output: &mut Sink, line: &Line) -> io::Result<()> {
    let mut written = 0;
    while written < line.len() + 1 {
        match output.write_vectored(&line.slices(written)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;

    use tokio::io::AsyncWrite;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::router::Outbox;

    /// Accepts all bytes, and counts the writes.
    #[derive(Default)]
    struct CountingSink(Arc<AtomicUsize>);

    impl AsyncWrite for CountingSink {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Returns an outbox, the task that writes its lines, and the number of its writes.
    fn counting_writer() -> (Outbox, JoinHandle<io::Result<()>>, Arc<AtomicUsize>) {
        let (outbox, lines) = Outbox::new(Arc::default());
        let writes = CountingSink::default();
        let count = writes.0.clone();
        let writer = tokio::spawn(write_lines(Box::pin(writes), lines));
        (outbox, writer, count)
    }

    #[tokio::test]
    async fn notifications_that_arrive_singly_are_gathered() {
        let (outbox, writer, count) = counting_writer();
        tokio::spawn(async move {
            for _ in 0..1000 {
                outbox.send(Line::notification("a")).await;
                // As the task of a connection reads its next chunk.
                yield_once().await;
            }
        });
        writer.await.unwrap().unwrap();
        let writes = count.load(Ordering::Relaxed);
        assert!((1000 / MAX_YIELDS..=100).contains(&writes), "{writes}");
    }

    #[tokio::test]
    async fn a_response_is_written_at_once() {
        let (outbox, _writer, count) = counting_writer();
        let client = tokio::spawn(async move {
            for answers in 1..10 {
                outbox.send(Line::result(b"1", "{}")).await;
                yield_once().await;
                assert_eq!(count.load(Ordering::Relaxed), answers);
            }
        });
        client.await.unwrap();
    }

    #[tokio::test]
    async fn small_and_large_lines_keep_their_order() {
        let (proxy_end, client_end) = tokio::io::duplex(1 << 22);
        let (outbox, lines) = Outbox::new(Arc::default());
        let large = "x".repeat(GATHER_BYTES + 1);
        for text in ["a\nb", &large, "c"] {
            outbox.send(Line::whole(text.to_owned().into())).await;
        }
        drop(outbox);
        write_lines(Box::pin(proxy_end), lines).await.unwrap();
        let mut out = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut { client_end }, &mut out)
            .await
            .unwrap();
        assert_eq!(out, format!("a b\n{large}\nc\n"));
    }
}
