//! What a handler puts on the socket.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

/// A reply; made by one of the constructors and refined by the rest.
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    /// With its length.
    Whole(Vec<u8>),
    /// In chunks, open until the sender is dropped.
    Stream {
        chunks: mpsc::Receiver<Bytes>,
        unfinished: bool,
    },
    /// These bytes and nothing else, then the connection closes.
    Raw(Vec<u8>),
    /// Nothing, until the client goes.
    Hang,
    /// Nothing, and the connection is reset.
    Reset,
    /// Announced longer than it is, then the connection closes.
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

    /// A reply of `status` without a body.
    pub fn status(status: u16) -> Self {
        Self::new(status, Body::Whole(Vec::new()))
    }

    /// A body of `application/json`.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Whole(body.into())).header("content-type", "application/json")
    }

    /// A complete event stream of these bytes, each item a chunk of its own; see [`event`].
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

    /// An event stream of what is sent to `chunks`, open until every sender is dropped.
    pub fn stream(chunks: mpsc::Receiver<Bytes>) -> Self {
        let unfinished = false;
        Self::new(200, Body::Stream { chunks, unfinished })
            .header("content-type", "text/event-stream")
    }

    /// Puts `bytes` on the socket as they are, in place of any head and body, and closes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Raw(bytes.into()))
    }

    /// Takes the request and never answers.
    pub fn hang() -> Self {
        Self::new(200, Body::Hang)
    }

    /// Takes the request and resets the connection.
    pub fn reset() -> Self {
        Self::new(200, Body::Reset)
    }

    /// Sends `bytes` of a longer `application/json` body and closes.
    pub fn cut(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Cut(bytes.into())).header("content-type", "application/json")
    }

    /// The body, if it is whole.
    pub fn whole(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Whole(body) => Some(body),
            _ => None,
        }
    }

    /// Brings the body in pieces of one byte, each after `pause`.
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

    /// Sets a header, in place of one of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body, whole.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Lets a stream break off at its end, as a lost connection does, instead of being complete.
    #[must_use]
    pub fn broken_off(mut self) -> Self {
        if let Body::Stream { unfinished, .. } = &mut self.body {
            *unfinished = true;
        }
        self
    }
}

/// The event that carries `data`, one `data:` line for each line of it.
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
