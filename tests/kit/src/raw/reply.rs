//! The reply of a handler.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

/// A reply, created by a constructor and changed by the other methods.
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    /// A body with its length.
    Whole(Vec<u8>),
    /// A chunked body, open until the sender is dropped.
    Stream {
        chunks: mpsc::Receiver<Bytes>,
        unfinished: bool,
    },
    /// These bytes without a head; then the connection closes.
    Raw(Vec<u8>),
    /// Nothing, until the client disconnects.
    Hang,
    /// Nothing; the connection is reset.
    Reset,
    /// A body shorter than its announced length; then the connection closes.
    Cut(Vec<u8>),
}

impl Reply {
    fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// Creates a reply with `status` and without a body.
    pub fn status(status: u16) -> Self {
        Self::new(status, Body::Whole(Vec::new()))
    }

    /// Creates a reply with an `application/json` body.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Whole(body.into())).header("content-type", "application/json")
    }

    /// Creates a complete event stream of these bytes, one chunk per item; see [`event`].
    pub fn sse<B: Into<Bytes>>(events: impl IntoIterator<Item = B>) -> Self {
        let events: Vec<Bytes> = events.into_iter().map(Into::into).collect();
        let (sender, receiver) = mpsc::channel(events.len().max(1));
        for event in events {
            sender
                .try_send(event)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        Self::stream(receiver)
    }

    /// Creates an event stream of the received `chunks`, open until every sender is dropped.
    pub fn stream(chunks: mpsc::Receiver<Bytes>) -> Self {
        let unfinished = false;
        Self::new(200, Body::Stream { chunks, unfinished })
            .header("content-type", "text/event-stream")
    }

    /// Sends `bytes` without a head, and closes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Raw(bytes.into()))
    }

    /// Reads the request and never replies.
    pub fn hang() -> Self {
        Self::new(200, Body::Hang)
    }

    /// Reads the request and resets the connection.
    pub fn reset() -> Self {
        Self::new(200, Body::Reset)
    }

    /// Sends `bytes` of a longer `application/json` body, and closes.
    pub fn cut(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Cut(bytes.into())).header("content-type", "application/json")
    }

    /// Returns the body, if it is whole.
    pub fn whole(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Whole(body) => Some(body),
            _ => None,
        }
    }

    /// Sends the body byte by byte, each after `pause`.
    #[must_use]
    pub fn dripping(mut self, pause: Duration) -> Self {
        let (sender, chunks) = mpsc::channel(1);
        let body = Body::Stream {
            chunks,
            unfinished: false,
        };
        let body = std::mem::replace(&mut self.body, body);
        tokio::spawn(async move {
            let drip = async |bytes: Bytes| {
                for byte in bytes {
                    tokio::time::sleep(pause).await;
                    sender.send(Bytes::from(vec![byte])).await.ok()?;
                }
                Some(())
            };
            match body {
                Body::Whole(body) => drip(body.into()).await,
                Body::Stream { mut chunks, .. } => loop {
                    tokio::select! {
                        chunk = chunks.recv() => drip(chunk?).await?,
                        () = sender.closed() => return None,
                    }
                },
                _ => None,
            }
        });
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets a header, and replaces one of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a whole body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Breaks a stream off at its end, like a lost connection, instead of completing it.
    #[must_use]
    pub fn broken_off(mut self) -> Self {
        if let Body::Stream { unfinished, .. } = &mut self.body {
            *unfinished = true;
        }
        self
    }
}

/// Returns an event with `data`, one `data:` line per line.
pub fn event(data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut event = b"event: message\n".to_vec();
    for line in data.as_ref().split(|&byte| byte == b'\n') {
        event.extend(b"data: ");
        event.extend(line);
        event.push(b'\n');
    }
    event.push(b'\n');
    event
}
