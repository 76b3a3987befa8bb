//! The requests that the client waits for: by its ids, to cancel them, and by its progress tokens, to
//! pass on the progress of those alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::protocol::LogLevel;
use crate::protocol::json_key::JsonKey;
use crate::router::call::upstream_call::SentCall;
use crate::sync::Mutex;
use crate::upstream::{Activity, ConnectionUse};

/// All requests of one client that are under way.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    /// The most requests at a time.
    limit: usize,
}

/// Why a request was not begun.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another request under way has the same id.
    IdInUse,
    /// As many requests are under way as may.
    TooMany,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<JsonKey, Call>,
    tokens: HashMap<JsonKey, ActiveToken>,
    /// Tokens of the upstream's side whose calls the client knows by others: the request, and its token.
    renamed: HashMap<JsonKey, (JsonKey, Bytes)>,
}

#[derive(Debug, Default)]
struct ActiveToken {
    /// How many requests have the token; one, unless a client breaks the rules.
    requests: usize,
    /// Whether the client has received progress under it.
    had_progress: bool,
    /// The activity of the call that has it: progress is a sign of life.
    activity: Option<Activity>,
}

#[derive(Debug)]
struct Call {
    abort: AbortHandle,
    token: Option<JsonKey>,
    /// From which level on the request wants logs of a legacy upstream.
    log_level: Option<LogLevel>,
    /// Where the request went last; `None` before it was sent.
    sent: Option<SentCall>,
    /// Whether something else cancels the request at its upstream.
    is_delegated: bool,
}

impl Call {
    /// What is to be cancelled at the upstream.
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

    /// Begins a request by `spawn`, which must not block.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was begun.
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
            // The lock is held, so the request cannot end before it is on record.
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

    /// Records where the request went.
    pub(crate) fn record_sent(&self, id: &JsonKey, connection: &ConnectionUse, upstream_id: u64) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.sent = Some((connection.clone(), upstream_id));
        }
    }

    /// Records from which level on the request wants logs.
    pub(crate) fn record_log_level(&self, id: &JsonKey, level: LogLevel) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.log_level = Some(level);
        }
    }

    /// Whether a request under way on this connection wants logs from a level on that `is_reached` accepts.
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

    /// Whether a request is under way on this connection.
    pub(crate) fn has_call_at(&self, connection: &ConnectionUse) -> bool {
        let state = self.state.lock();
        let mut sent = state.calls.values().filter_map(|call| call.sent.as_ref());
        sent.any(|(at, _)| at.is_same(connection))
    }

    /// Records the activity for which progress under the request's token is a sign of life.
    pub(crate) fn attach_activity(&self, id: &JsonKey, activity: &Activity) {
        let mut state = self.state.lock();
        let token = state.calls.get(id).and_then(|call| call.token.clone());
        if let Some(token) = token.and_then(|token| state.tokens.get_mut(&token)) {
            token.activity = Some(activity.clone());
        }
    }

    /// Leaves it to something else to cancel at the upstream what the request sends, now or later.
    pub(crate) fn delegate_cancellation(&self, id: &JsonKey) {
        if let Some(call) = self.state.lock().calls.get_mut(id) {
            call.is_delegated = true;
        }
    }

    /// Records that an upstream reports under `given` what the client of this request knows as `known`.
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

    /// The client's own token for a token of the upstream's side.
    pub(crate) fn client_token_for(&self, upstream_token: &JsonKey) -> Option<Bytes> {
        let state = self.state.lock();
        state
            .renamed
            .get(upstream_token)
            .map(|(_, client_token)| client_token.clone())
    }

    /// Ends a request. Returns `false` if it was cancelled meanwhile, and must not be answered.
    pub(crate) fn finish(&self, id: &JsonKey) -> bool {
        self.state.lock().remove(id).is_some()
    }

    /// Records progress under this token. Returns `false` if no request has it.
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

    /// Stops a request; `None` if there is none. Returns what to cancel at the upstream.
    pub(crate) fn abort(&self, id: &JsonKey) -> Option<Option<SentCall>> {
        let call = self.state.lock().remove(id)?;
        call.abort.abort();
        Some(call.cancellable())
    }

    /// Stops all requests. Returns what to cancel at the upstreams.
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
