//! The client's requests in flight: by id, to cancel them, and by progress token, to forward progress only for
//! them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::protocol::LogLevel;
use crate::protocol::json_key::JsonKey;
use crate::router::call::upstream_call::SentCall;
use crate::sync::Mutex;
use crate::upstream::{Activity, ConnectionUse};

/// All requests in flight of one client.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    /// The maximum number of requests in flight.
    limit: usize,
}

/// The reason why a request was not begun.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another request in flight has the same id.
    IdInUse,
    /// The limit of requests in flight is reached.
    TooMany,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<JsonKey, Call>,
    tokens: HashMap<JsonKey, ActiveToken>,
    /// By upstream token, if the client's token differs: the id of the request, and the client's token.
    renamed: HashMap<JsonKey, (JsonKey, Bytes)>,
}

#[derive(Debug, Default)]
struct ActiveToken {
    /// The number of requests with the token. More than one violates MCP § Progress.
    requests: usize,
    /// Whether the client has received progress under the token.
    had_progress: bool,
    /// The activity of the call with the token. Progress renews its deadline.
    activity: Option<Activity>,
}

#[derive(Debug)]
struct Call {
    abort: AbortHandle,
    token: Option<JsonKey>,
    /// The least severe level of the logs that the request receives from a legacy upstream.
    log_level: Option<LogLevel>,
    /// The latest attempt. `None` before the request is sent.
    sent: Option<SentCall>,
    /// Whether another guard cancels the request at its upstream.
    is_delegated: bool,
}

impl Call {
    /// Returns the call to cancel at the upstream.
    fn cancellable(self) -> Option<SentCall> {
        self.sent.filter(|_| !self.is_delegated)
    }
}

impl InFlight {
    /// Creates an empty table for at most this many requests.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            limit,
        }
    }

    /// Registers a request, and starts it by `spawn`, which must not block.
    ///
    /// # Errors
    /// [`Refusal`], if the request was not started.
    pub(crate) fn begin(
        &self,
        id: JsonKey,
        token: Option<&Bytes>,
        spawn: impl FnOnce() -> AbortHandle,
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let token = token.map(JsonKey::new);
        let is_full = state.calls.len() >= self.limit;
        match state.calls.entry(id) {
            Entry::Occupied(_) => return Err(Refusal::IdInUse),
            Entry::Vacant(_) if is_full => return Err(Refusal::TooMany),
            // The lock is held, so the request cannot end before it is registered.
            Entry::Vacant(entry) => entry.insert(Call {
                abort: spawn(),
                token: token.clone(),
                log_level: None,
                sent: None,
                is_delegated: false,
            }),
        };
        if let Some(token) = token {
            state.tokens.entry(token).or_default().requests += 1;
        }
        Ok(())
    }

    /// Records the connection on which the request was sent, and its id there.
    pub(crate) fn record_sent(&self, id: &JsonKey, connection: &ConnectionUse, upstream_id: u64) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.sent = Some((connection.clone(), upstream_id));
        }
    }

    /// Records the least severe level of the logs that the request receives.
    pub(crate) fn record_log_level(&self, id: &JsonKey, level: LogLevel) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.log_level = Some(level);
        }
    }

    /// Whether a request on this connection has a log level that `is_level` accepts.
    pub(crate) fn has_log_level(
        &self,
        connection: &ConnectionUse,
        is_level: impl Fn(LogLevel) -> bool,
    ) -> bool {
        let state = self.state.lock();
        let is_there = |call: &&Call| {
            let sent = call.sent.as_ref();
            sent.is_some_and(|(at, _)| at.is_same(connection))
        };
        let mut levels = state.calls.values().filter(is_there);
        levels.any(|call| call.log_level.is_some_and(&is_level))
    }

    /// Whether a request is in flight on this connection.
    pub(crate) fn has_call_at(&self, connection: &ConnectionUse) -> bool {
        let state = self.state.lock();
        let mut sent = state.calls.values().filter_map(|call| call.sent.as_ref());
        sent.any(|(at, _)| at.is_same(connection))
    }

    /// Attaches the activity that progress under the request's token renews.
    pub(crate) fn attach_activity(&self, id: &JsonKey, activity: &Activity) {
        let mut state = self.state.lock();
        let token = state.calls.get(id).and_then(|call| call.token.clone());
        if let Some(token) = token.and_then(|token| state.tokens.get_mut(&token)) {
            token.activity = Some(activity.clone());
        }
    }

    /// Records that another guard cancels the request at its upstream. This applies to later attempts, too.
    pub(crate) fn delegate_cancellation(&self, id: &JsonKey) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.is_delegated = true;
        }
    }

    /// Records that the upstream sends progress of this request under another token than the client's.
    pub(crate) fn record_renamed_token(
        &self,
        id: &JsonKey,
        upstream_token: &Bytes,
        client_token: &Bytes,
    ) {
        let renamed = (id.clone(), client_token.clone());
        self.state
            .lock()
            .renamed
            .insert(JsonKey::new(upstream_token), renamed);
    }

    /// The client's token for a token of an upstream, if they differ.
    pub(crate) fn client_token_for(&self, upstream_token: &JsonKey) -> Option<Bytes> {
        let state = self.state.lock();
        state
            .renamed
            .get(upstream_token)
            .map(|(_, client_token)| client_token.clone())
    }

    /// Removes a request that has ended. Returns `false` if the client has cancelled the request, which then must
    /// not be answered.
    pub(crate) fn finish(&self, id: &JsonKey) -> bool {
        self.state.lock().remove(id).is_some()
    }

    /// Records progress under this token. Returns `false` if no request has the token.
    pub(crate) fn record_progress(&self, token: &JsonKey) -> bool {
        let mut state = self.state.lock();
        let token = state.tokens.get_mut(token);
        let Some(token) = token else {
            return false;
        };
        token.had_progress = true;
        if let Some(activity) = &token.activity {
            activity.touch();
        }
        true
    }

    /// Whether the client has received progress under this token.
    pub(crate) fn had_progress(&self, token: Option<&Bytes>) -> bool {
        let state = self.state.lock();
        let token = token.and_then(|token| state.tokens.get(&JsonKey::new(token)));
        token.is_some_and(|token| token.had_progress)
    }

    /// Aborts a request, and returns the call to cancel at the upstream. The outer `None` means that no request
    /// has the id.
    pub(crate) fn abort(&self, id: &JsonKey) -> Option<Option<SentCall>> {
        let call = self.state.lock().remove(id)?;
        call.abort.abort();
        Some(call.cancellable())
    }

    /// Aborts all requests. Returns the calls to cancel at the upstreams.
    pub(crate) fn abort_all(&self) -> Vec<SentCall> {
        let mut state = self.state.lock();
        state.tokens.clear();
        state.renamed.clear();
        let stop = |(_, call): (_, Call)| {
            call.abort.abort();
            call.cancellable()
        };
        state.calls.drain().filter_map(stop).collect()
    }
}

impl State {
    fn remove(&mut self, id: &JsonKey) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.renamed.retain(|_, (owner, _)| owner != id);
        if let Some(token) = &call.token
            && let Some(used) = self.tokens.get_mut(token)
        {
            used.requests -= 1;
            if used.requests == 0 {
                self.tokens.remove(token);
            }
        }
        Some(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_id_is_in_use_until_its_call_ends() {
        let in_flight = InFlight::new(3);
        let spawn = || tokio::spawn(std::future::pending::<()>()).abort_handle();
        let key = |written: &'static str| JsonKey::new(&Bytes::from_static(written.as_bytes()));
        let token = Bytes::from_static(b"1");
        let begin = |key, token| in_flight.begin(key, token, spawn);
        assert_eq!(begin(key(r#""a""#), Some(&token)), Ok(()));
        let again = in_flight.begin(key(r#""\u0061""#), None, || unreachable!());
        assert_eq!(again, Err(Refusal::IdInUse));
        assert_eq!(begin(key("1"), Some(&token)), Ok(()));
        assert_eq!(begin(key("1.0"), None), Ok(()));
        let more = in_flight.begin(key("2"), Some(&token), || unreachable!());
        assert_eq!(more, Err(Refusal::TooMany));
        assert!(in_flight.finish(&key(r#""a""#)));
        assert!(!in_flight.had_progress(Some(&token)));
        assert!(in_flight.record_progress(&key("1")));
        assert!(in_flight.had_progress(Some(&token)));
        assert!(in_flight.abort(&key("1")).is_some());
        assert!(!in_flight.record_progress(&key("1")));
        assert!(!in_flight.finish(&key("1")));
        assert!(in_flight.abort_all().is_empty());
        assert!(!in_flight.finish(&key("1.0")));
    }
}
