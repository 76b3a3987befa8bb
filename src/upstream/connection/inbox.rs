//! The calls through which an upstream can ask a client that reads nothing but responses:
//! a modern client is asked by the result of a call (MCP 2026-07-28 § Multi Round-Trip Requests),
//! while a legacy upstream may ask on a stream that belongs to no call.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::debug;

use crate::sync::Mutex;
use crate::wire::Message;

/// How many requests of the upstream may wait for one call to take them up.
const CAPACITY: usize = 16;

/// The calls by their ids, the oldest first.
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
    /// A message that has arrived and was not taken yet.
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

    /// Delivers a request of the server to the oldest call that takes it. Returns the request when
    /// there is no such call.
    #[must_use]
    pub fn deliver(&self, request: Message) -> Option<Message> {
        deliver(&self.calls.lock(), request)
    }

    /// Delivers to every call that the server cancels a request.
    pub fn deliver_cancellation(&self, cancelled: &Message) {
        for (_, call) in &*self.calls.lock() {
            // A call with a full inbox will answer a request for which the server waits no more.
            let _ = call.try_send(cancelled.clone());
        }
    }
}

fn deliver(calls: &[(u64, mpsc::Sender<Message>)], mut request: Message) -> Option<Message> {
    for (_, call) in calls {
        match call.try_send(request) {
            Ok(()) => return None,
            Err(refused) => request = refused.into_inner(),
        }
    }
    Some(request)
}

impl Inbox {
    /// Returns the next request of the server, or its cancellation, that came beside the call's own stream.
    /// Cancel safe.
    pub async fn next(&mut self) -> Message {
        loop {
            self.wait_for_message().await;
            if let Some(request) = self.buffered.take() {
                return *request;
            }
        }
    }

    /// Waits until there is such a message. Cancel safe.
    pub(crate) async fn wait_for_message(&mut self) {
        if self.buffered.is_none() {
            self.buffered = self.requests.recv().await.map(Box::new);
        }
        if self.buffered.is_none() {
            // The sender goes when the inbox does.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Inbox {
    /// What this call has not taken up may have been meant for another one.
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
                debug!("nobody is left to be asked");
            }
        }
    }
}
