//! Inboxes that pass server requests to calls of modern clients.
//!
//! A legacy upstream may send a request on a stream that belongs to no call. A modern client receives it only in
//! the result of one of its calls (MCP 2026-07-28 § Multi Round-Trip Requests).

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::debug;

use crate::sync::Mutex;
use crate::wire::Message;

/// The number of server requests that one inbox can hold.
const CAPACITY: usize = 16;

/// The calls with their ids, the oldest first.
type Calls = Arc<Mutex<Vec<(u64, mpsc::Sender<Message>)>>>;

/// The inboxes of the calls on one connection.
#[derive(Debug, Default)]
pub struct ServerRequestInboxes {
    calls: Calls,
}

/// Receives the server's requests for one call, until it is dropped.
#[derive(Debug)]
pub struct Inbox {
    call: u64,
    calls: Calls,
    requests: mpsc::Receiver<Message>,
    /// A message that has arrived and that [`Self::next`] has not returned yet.
    buffered: Option<Box<Message>>,
}

impl ServerRequestInboxes {
    /// Opens an inbox for the call with this id.
    #[must_use]
    pub fn register(&self, call: u64) -> Inbox {
        let (sender, requests) = mpsc::channel(CAPACITY);
        self.calls.lock().push((call, sender));
        Inbox {
            call,
            calls: self.calls.clone(),
            requests,
            buffered: None,
        }
    }

    /// Delivers a server request to the oldest call whose inbox has space. If all are full, returns the request.
    #[must_use]
    pub fn deliver(&self, request: Message) -> Option<Message> {
        deliver(&self.calls.lock(), request)
    }

    /// Delivers the server's cancellation of a request to every call.
    pub fn deliver_cancellation(&self, cancelled: &Message) {
        for (_, call) in &*self.calls.lock() {
            // A call with a full inbox misses it and responds to the cancelled request, which is harmless.
            let _ = call.try_send(cancelled.clone());
        }
    }
}

fn deliver(calls: &[(u64, mpsc::Sender<Message>)], mut request: Message) -> Option<Message> {
    for (_, call) in calls {
        match call.try_send(request) {
            Ok(()) => return None,
            Err(error) => request = error.into_inner(),
        }
    }
    Some(request)
}

impl Inbox {
    /// Waits for the next server request, or cancellation of one, outside the call's own stream. Cancel safe.
    pub async fn next(&mut self) -> Message {
        loop {
            self.wait_for_message().await;
            if let Some(request) = self.buffered.take() {
                return *request;
            }
        }
    }

    /// Waits until [`Self::next`] can return a message immediately. Cancel safe.
    pub(crate) async fn wait_for_message(&mut self) {
        if self.buffered.is_none() {
            self.buffered = self.requests.recv().await.map(Box::new);
        }
        if self.buffered.is_none() {
            // Unreachable: the sender exists until the inbox is dropped.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Inbox {
    /// Delivers unread messages to other calls: they may belong to one of them.
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        calls.retain(|(call, _)| *call != self.call);
        self.requests.close();
        let left = std::iter::from_fn(|| self.requests.try_recv().ok());
        for request in self
            .buffered
            .take()
            .map(|next| *next)
            .into_iter()
            .chain(left)
        {
            if deliver(&calls, request).is_some() {
                debug!("dropping a server request: no call can pass it on");
            }
        }
    }
}
