//! One connection: reads a request, sends the reply, and repeats.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use super::door::WayIn;
use super::reply::Body;
use super::request::read;
use super::{Handler, Log, Reply};

/// A connection, encrypted or not.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes closing send a reset.
    fn reset_on_close(&self);
}

impl Io for TcpStream {
    fn reset_on_close(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Io for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

/// How a reply ended.
enum End {
    /// Complete; the connection can serve another request.
    Complete,
    /// Ended by the handler, which closes the connection.
    Closed,
    /// The client closed the connection first.
    ClientLeft,
}

/// Answers requests until the client disconnects, or the door closes.
pub(super) async fn serve(
    mut io: Box<dyn Io>,
    handler: &Handler,
    log: &Arc<watch::Sender<Log>>,
    way_in: WayIn,
) {
    let resets = tokio::select! {
        biased;
        resets = way_in.closed() => resets,
        () = exchanges(&mut io, handler, log) => return,
    };
    if !resets {
        way_in.given_up().await;
    }
    io.reset_on_close();
}

async fn exchanges(io: &mut Box<dyn Io>, handler: &Handler, log: &Arc<watch::Sender<Log>>) {
    let mut buffer = BytesMut::new();
    while let Some(request) = read(io, &mut buffer).await {
        log.send_modify(|log| log.requests.push(request.clone()));
        let end = tokio::select! {
            reply = handler(request.clone()) => {
                put(io, &mut buffer, reply).await
            }
            () = left(io, &mut buffer) => End::ClientLeft,
        };
        match end {
            End::Complete => {}
            End::Closed => return,
            End::ClientLeft => {
                log.send_modify(|log| log.disconnects.push(request));
                return;
            }
        }
    }
}

/// Waits until the client has closed. Bytes from the client are added to `buffer`.
async fn left(io: &mut Box<dyn Io>, buffer: &mut BytesMut) {
    while !matches!(io.read_buf(buffer).await, Ok(0) | Err(_)) {}
}

async fn put(io: &mut Box<dyn Io>, buffer: &mut BytesMut, reply: Reply) -> End {
    let head = head(&reply);
    let written = match reply.body {
        Body::Whole(body) => send(io, &[&head, &body]).await,
        Body::Stream { chunks, unfinished } => {
            return put_stream(io, buffer, &head, chunks, unfinished).await;
        }
        Body::Raw(bytes) => send(io, &[&bytes]).await.and(Some(End::Closed)),
        Body::Cut(bytes) => send(io, &[&head, &bytes]).await.and(Some(End::Closed)),
        Body::Reset => {
            io.reset_on_close();
            Some(End::Closed)
        }
        Body::Hang => {
            left(io, buffer).await;
            None
        }
    };
    written.unwrap_or(End::ClientLeft)
}

async fn put_stream(
    io: &mut Box<dyn Io>,
    buffer: &mut BytesMut,
    head: &[u8],
    mut chunks: tokio::sync::mpsc::Receiver<bytes::Bytes>,
    unfinished: bool,
) -> End {
    if send(io, &[head]).await.is_none() {
        return End::ClientLeft;
    }
    loop {
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk,
            () = left(io, buffer) => return End::ClientLeft,
        };
        let sent = match &chunk {
            // An empty chunk would mean the end.
            Some(chunk) if chunk.is_empty() => continue,
            Some(chunk) => {
                let size = format!("{:x}\r\n", chunk.len());
                send(io, &[size.as_bytes(), chunk, b"\r\n"]).await
            }
            None if unfinished => return End::Closed,
            None => send(io, &[b"0\r\n\r\n"]).await,
        };
        match sent {
            None => return End::ClientLeft,
            Some(end) if chunk.is_none() => return end,
            Some(_) => {}
        }
    }
}

async fn send(io: &mut Box<dyn Io>, parts: &[&[u8]]) -> Option<End> {
    io.write_all(&parts.concat()).await.ok()?;
    io.flush().await.ok()?;
    Some(End::Complete)
}

fn head(reply: &Reply) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(reply.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let framing = match &reply.body {
        Body::Whole(body) => format!("content-length: {}", body.len()),
        Body::Cut(bytes) => format!("content-length: {}", bytes.len() + 1000),
        _ => "transfer-encoding: chunked".to_owned(),
    };
    head.push_str(&format!("{framing}\r\n\r\n"));
    head.into_bytes()
}
