//! Lines to the client, by one writer: nothing else may write to stdout.

use std::io;

use tokio::io::AsyncWriteExt;

use super::stdio::Sink;
use crate::router::Lines;
use crate::wire::Line;

/// Lines up to this size are gathered into one write; larger ones are written as they are.
const GATHER_BYTES: usize = 64 << 10;

/// Writes lines until all senders are gone. Everything that is ready goes out in one write.
///
/// # Errors
/// [`io::Error`], when the client no longer reads.
pub async fn write_lines(mut stdout: Sink, mut lines: Lines) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(GATHER_BYTES);
    while let Some(line) = lines.next().await {
        let mut next = Some(line);
        while let Some(line) = next {
            let line = line.flatten();
            if line.len() > GATHER_BYTES {
                stdout.write_all(&buffer).await?;
                buffer.clear();
                write_whole(&mut stdout, &line).await?;
            } else {
                line.append_to(&mut buffer);
            }
            next = if buffer.len() < GATHER_BYTES {
                lines.ready()
            } else {
                None
            };
        }
        stdout.write_all(&buffer).await?;
        stdout.flush().await?;
        buffer.clear();
        lines.written();
    }
    Ok(())
}

async fn write_whole(stdout: &mut Sink, line: &Line) -> io::Result<()> {
    let mut written = 0;
    while written < line.len() + 1 {
        match stdout.write_vectored(&line.slices(written)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::router::Outbox;

    #[tokio::test]
    async fn small_and_large_lines_keep_their_order() {
        let (ours, theirs) = tokio::io::duplex(1 << 22);
        let (outbox, lines) = Outbox::new(Arc::default());
        let large = "x".repeat(GATHER_BYTES + 1);
        for text in ["a\nb", &large, "c"] {
            outbox.send(Line::whole(text.to_owned().into())).await;
        }
        drop(outbox);
        write_lines(Box::pin(ours), lines).await.unwrap();
        let mut out = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut { theirs }, &mut out)
            .await
            .unwrap();
        assert_eq!(out, format!("a b\n{large}\nc\n"));
    }
}
