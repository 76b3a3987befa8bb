//! The calls through which an upstream can ask a client that hears only answers to its own requests:
//! a modern client is asked by the answer to a call (MCP 2026-07-28 § Multi Round-Trip Requests),
//! while a legacy upstream may ask on a stream that belongs to no call.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tracing::debug;

use crate::wire::Message;

/// How many requests of the upstream may wait for one call to take them up.
const WAITING: usize = 16;

/// The calls by their ids, the oldest first.
// std's Mutex: held for a look at a short list, never across an await.
type Calls = Arc<Mutex<Vec<(u64, mpsc::Sender<Message>)>>>;

/// The calls of one connection that can be asked through.
#[derive(Debug, Default)]
pub struct ServerRequestInboxes {
    calls: Calls,
}

/// One of these calls, until it is dropped.
#[derive(Debug)]
pub struct Inbox {
    serial: u64,
    calls: Calls,
    asks: mpsc::Receiver<Message>,
    /// What is known to have been asked, and was not taken yet.
    next: Option<Box<Message>>,
}

impl ServerRequestInboxes {
    /// Enters the call with this id.
    #[must_use]
    pub fn enter(&self, serial: u64) -> Inbox {
        let (sender, asks) = mpsc::channel(WAITING);
        lock(&self.calls).push((serial, sender));
        Inbox {
            serial,
            calls: self.calls.clone(),
            asks,
            next: None,
        }
    }

    /// Hands a request of the upstream to the oldest call that takes it; it comes back when there
    /// is no such call.
    #[must_use]
    pub fn hand(&self, request: Message) -> Option<Message> {
        hand(&lock(&self.calls), request)
    }

    /// Tells all of them that the upstream takes a request back.
    pub fn tell(&self, cancelled: &Message) {
        for (_, call) in &*lock(&self.calls) {
            // One that has more to take up than this will answer what nobody waits for.
            let _ = call.try_send(cancelled.clone());
        }
    }
}

fn hand(calls: &[(u64, mpsc::Sender<Message>)], mut request: Message) -> Option<Message> {
    for (_, call) in calls {
        match call.try_send(request) {
            Ok(()) => return None,
            Err(refused) => request = refused.into_inner(),
        }
    }
    Some(request)
}

impl Inbox {
    /// The next request of the upstream, or its end, that came beside the call's own stream. Cancel safe.
    pub async fn asked(&mut self) -> Message {
        loop {
            self.called().await;
            if let Some(request) = self.next.take() {
                return *request;
            }
        }
    }

    /// Waits until there is such a request. Cancel safe.
    pub(crate) async fn called(&mut self) {
        if self.next.is_none() {
            self.next = self.asks.recv().await.map(Box::new);
        }
        if self.next.is_none() {
            // The sender goes when we do.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Inbox {
    /// What it has not taken up may have been meant for another call.
    fn drop(&mut self) {
        let mut calls = lock(&self.calls);
        calls.retain(|(serial, _)| *serial != self.serial);
        self.asks.close();
        let left = std::iter::from_fn(|| self.asks.try_recv().ok());
        for request in self.next.take().map(|next| *next).into_iter().chain(left) {
            if hand(&calls, request).is_some() {
                debug!("nobody is left to be asked");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
