//! Collects the output of the proxy as bytes.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::watch;

/// An output stream of the proxy, read by a task until it ends.
pub(super) struct Output<T>(Arc<watch::Sender<Read<T>>>);

struct Read<T> {
    so_far: T,
    ended: bool,
}

/// Collects the lines of stdout, without line feeds.
pub(super) fn lines(stdout: impl AsyncRead + Send + Unpin + 'static) -> Output<Vec<Vec<u8>>> {
    let output = Output::<Vec<Vec<u8>>>::new();
    let sender = output.0.clone();
    tokio::spawn(async move {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            match stdout.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => break,
                // An unterminated last line is kept; tests notice that it does not parse.
                Ok(_) if line.last() == Some(&b'\n') => line.truncate(line.len() - 1),
                Ok(_) => {}
            }
            sender.send_modify(|read| read.so_far.push(line));
        }
        sender.send_modify(|read| read.ended = true);
    });
    output
}

/// Collects the text of stderr.
pub(super) fn text(mut stderr: impl AsyncRead + Send + Unpin + 'static) -> Output<Vec<u8>> {
    let output = Output::<Vec<u8>>::new();
    let sender = output.0.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
            sender.send_modify(|read| read.so_far.extend(&bytes[..count]));
        }
        sender.send_modify(|read| read.ended = true);
    });
    output
}

impl<T: Default> Output<T> {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Read {
            so_far: T::default(),
            ended: false,
        })))
    }

    /// Runs `look` on the output so far.
    pub(super) fn look<U>(&self, look: impl FnOnce(&T) -> U) -> U {
        look(&self.0.borrow().so_far)
    }

    /// Waits until `look` returns a value. Returns `None` at the end of the stream.
    pub(super) async fn wait<U>(&self, mut look: impl FnMut(&T) -> Option<U>) -> Option<U> {
        let mut found = None;
        let read = &mut self.0.subscribe();
        read.wait_for(|read| {
            found = look(&read.so_far);
            found.is_some() || read.ended
        })
        .await
        .ok()?;
        found
    }
}

/// The members of a line that identify its message.
#[derive(Default, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }

    /// Returns `true` if this is the response to the id with these bytes.
    pub(super) fn answers(&self, id: &[u8]) -> bool {
        self.method.is_none() && self.id.is_some_and(|raw| raw.get().as_bytes() == id)
    }

    /// Returns `true` if this is a request of `method`, or a notification if `request` is `false`.
    pub(super) fn has_method(&self, method: &str, request: bool) -> bool {
        let named = self.method.is_some_and(|raw| {
            serde_json::from_str::<String>(raw.get()).is_ok_and(|name| name == method)
        });
        named && self.id.is_some() == request
    }
}

/// Returns a line as a JSON value.
pub(super) fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(line)))
}
