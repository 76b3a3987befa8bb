//! The calls of one client that wait for it to come back with its answers, each under a handle.
//!
//! A suspended call is bound to the request that it was made by, and can be taken once.

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
    /// The most of them at a time.
    limit: usize,
}

/// A suspended call.
#[derive(Debug)]
pub(crate) struct SuspendedEntry {
    /// Held so that the upstream does not end before the call does.
    pub(crate) upstream: Upstream,
    pub(crate) fingerprint: RequestFingerprint,
    /// Cancelled to make the keeper return the call.
    pub(crate) claim: CancellationToken,
    /// The task that keeps the call meanwhile.
    pub(crate) keeper: JoinHandle<Option<SuspendedCall>>,
    /// What to cancel at the upstream at the end.
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

    /// Adds the entry that `begin` makes of a call. Returns the call if there are too many.
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
        // The lock is held, so the keeper cannot look for its entry before it is there.
        calls.insert(handle.to_owned(), spawn_keeper(call));
        Ok(())
    }

    /// The upstream whose call is suspended under this handle.
    pub(crate) fn upstream_of(&self, handle: &str) -> Option<Upstream> {
        Some(self.calls.lock().get(handle)?.upstream.clone())
    }

    /// Takes the call that is suspended under this handle, if this is its request again.
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

    /// Removes a call whose time is over. Returns `false` if the client has taken it.
    pub(crate) fn expire(&self, handle: &str) -> bool {
        self.calls.lock().remove(handle).is_some()
    }

    /// Takes out the calls at these upstreams.
    pub(crate) fn remove_for(&self, is_gone: impl Fn(&Upstream) -> bool) -> Vec<SuspendedEntry> {
        let mut calls = self.calls.lock();
        let gone = calls.extract_if(|_, entry| is_gone(&entry.upstream));
        gone.map(|(_, entry)| entry).collect()
    }

    /// Whether a suspended call is under way on this connection.
    pub(crate) fn has_call_at(&self, connection: &ConnectionUse) -> bool {
        let calls = self.calls.lock();
        let mut sent = calls.values().filter_map(|entry| entry.sent.as_ref());
        sent.any(|(at, _)| at.is_same(connection))
    }

    /// Stops all of them. Returns what to cancel at the upstreams.
    pub(crate) fn clear(&self) -> Vec<SentCall> {
        let stop = |(_, entry): (String, SuspendedEntry)| {
            entry.keeper.abort();
            entry.sent
        };
        self.calls.lock().drain().filter_map(stop).collect()
    }
}

/// The refusal of a request that resumes no call.
pub(crate) fn unknown_state() -> Message {
    error_response(
        code::INVALID_PARAMS,
        "no call waits under this `requestState`: it was used, took too long, or belongs to \
         another request; the call may have run: check before you send it again",
    )
}
