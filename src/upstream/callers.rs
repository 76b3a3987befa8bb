//! The calls through which an upstream can ask a client that hears only answers to its own requests:
//! a modern client is asked by the answer to a call (MCP 2026-07-28 § Multi Round-Trip Requests),
//! while a legacy upstream may ask on a stream that belongs to no call.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::wire::Message;

/// How many requests of the upstream may wait for one call to take them up.
const WAITING: usize = 16;

/// The calls by their ids, the oldest first.
// std's Mutex: held for a look at a short list, never across an await.
type Calls = Arc<Mutex<Vec<(u64, mpsc::Sender<Message>)>>>;

/// The calls of one connection that can be asked through.
#[derive(Debug, Default)]
pub struct Callers {
    calls: Calls,
}

/// One of these calls, until it is dropped.
#[derive(Debug)]
pub struct Caller {
    serial: u64,
    calls: Calls,
    asks: mpsc::Receiver<Message>,
}

impl Callers {
    /// Enters the call with this id.
    #[must_use]
    pub fn enter(&self, serial: u64) -> Caller {
        let (sender, asks) = mpsc::channel(WAITING);
        lock(&self.calls).push((serial, sender));
        Caller {
            serial,
            calls: self.calls.clone(),
            asks,
        }
    }

    /// Hands a request of the upstream to the oldest call that takes it; it comes back when there
    /// is no such call.
    #[must_use]
    pub fn hand(&self, mut request: Message) -> Option<Message> {
        for (_, call) in &*lock(&self.calls) {
            match call.try_send(request) {
                Ok(()) => return None,
                Err(refused) => request = refused.into_inner(),
            }
        }
        Some(request)
    }

    /// Tells all of them that the upstream takes a request back.
    pub fn tell(&self, cancelled: &Message) {
        for (_, call) in &*lock(&self.calls) {
            // One that has more to take up than this will answer what nobody waits for.
            let _ = call.try_send(cancelled.clone());
        }
    }
}

impl Caller {
    /// The next request of the upstream, or its end, that came beside the call's own stream. Cancel safe.
    pub async fn asked(&mut self) -> Message {
        match self.asks.recv().await {
            Some(request) => request,
            // The sender goes when we do.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        lock(&self.calls).retain(|(serial, _)| *serial != self.serial);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
