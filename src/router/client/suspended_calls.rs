//! The calls of one client that wait for its input, each under a handle.
//!
//! A suspended call can be resumed once, and only by a request with the same fingerprint.

use std::collections::HashMap;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::protocol::reply::error_response;
use crate::router::call::suspended::{RequestFingerprint, SuspendedCall};
use crate::router::call::upstream_call::SentCall;
use crate::sync::Mutex;
use crate::upstream::{ConnectionUse, Upstream};
use crate::wire::Message;
use crate::wire::outgoing::code;

/// All suspended calls of one client.
#[derive(Debug)]
pub(crate) struct SuspendedCalls {
    calls: Mutex<HashMap<String, SuspendedEntry>>,
    /// The maximum number of suspended calls.
    limit: usize,
}

/// A suspended call.
#[derive(Debug)]
pub(crate) struct SuspendedEntry {
    /// Keeps the upstream alive until the call ends.
    pub(crate) upstream: Upstream,
    pub(crate) fingerprint: RequestFingerprint,
    /// Cancelled to request the call from the keeper.
    pub(crate) claim: CancellationToken,
    /// The task that holds the call while it is suspended.
    pub(crate) keeper: JoinHandle<Option<SuspendedCall>>,
    /// The call to cancel at the upstream if the client leaves.
    pub(crate) sent: Option<SentCall>,
}

impl SuspendedCalls {
    /// Creates an empty table for at most this many calls.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            calls: Mutex::default(),
            limit,
        }
    }

    /// Adds the entry that `spawn_keeper` makes of a call. Returns the call if the limit is reached.
    pub(crate) fn insert(
        &self,
        handle: &str,
        call: SuspendedCall,
        spawn_keeper: impl FnOnce(SuspendedCall) -> SuspendedEntry,
    ) -> Result<(), Box<SuspendedCall>> {
        let mut calls = self.calls.lock();
        if calls.len() >= self.limit {
            return Err(Box::new(call));
        }
        // The lock is held, so the keeper cannot expire its entry before the insertion.
        calls.insert(handle.to_owned(), spawn_keeper(call));
        Ok(())
    }

    /// The upstream of the call that is suspended under this handle.
    pub(crate) fn upstream_of(&self, handle: &str) -> Option<Upstream> {
        Some(self.calls.lock().get(handle)?.upstream.clone())
    }

    /// Takes the call that is suspended under this handle, if the fingerprint is the same.
    pub(crate) fn take(
        &self,
        handle: &str,
        fingerprint: &RequestFingerprint,
    ) -> Option<SuspendedEntry> {
        let mut calls = self.calls.lock();
        calls
            .get(handle)
            .filter(|entry| entry.fingerprint == *fingerprint)?;
        calls.remove(handle)
    }

    /// Removes a call that has timed out. Returns `false` if the client has resumed the call.
    pub(crate) fn expire(&self, handle: &str) -> bool {
        self.calls.lock().remove(handle).is_some()
    }

    /// Removes and returns the calls at these upstreams.
    pub(crate) fn remove_for(&self, is_gone: impl Fn(&Upstream) -> bool) -> Vec<SuspendedEntry> {
        let mut calls = self.calls.lock();
        let removed = calls.extract_if(|_, entry| is_gone(&entry.upstream));
        removed.map(|(_, entry)| entry).collect()
    }

    /// Whether a suspended call uses this connection.
    pub(crate) fn has_call_at(&self, connection: &ConnectionUse) -> bool {
        let calls = self.calls.lock();
        let mut sent = calls.values().filter_map(|entry| entry.sent.as_ref());
        sent.any(|(at, _)| at.is_same(connection))
    }

    /// Aborts all suspended calls. Returns the calls to cancel at the upstreams.
    pub(crate) fn clear(&self) -> Vec<SentCall> {
        let stop = |(_, entry): (String, SuspendedEntry)| {
            entry.keeper.abort();
            entry.sent
        };
        self.calls.lock().drain().filter_map(stop).collect()
    }
}

/// The error response to a request with an unknown `requestState`.
pub(crate) fn unknown_state() -> Message {
    error_response(
        code::INVALID_PARAMS,
        "no call waits under this `requestState`: it was used, took too long, or belongs to \
         another request; the call may have run: check before you send it again",
    )
}
