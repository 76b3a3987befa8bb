//! The calls that the client waits for: by its id to cancel them, by its progress token
//! to know which progress it still wants to hear of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::protocol::json_key::Key;
use crate::upstream::{Activity, Connection};

/// The connection that a call went out on, and the id that the upstream knows it by.
pub(crate) type Sent = (Arc<Connection>, u64);

/// All calls in flight.
#[derive(Debug)]
pub(crate) struct Inflight {
    // std's Mutex: held for a few map operations, never across an await.
    state: Mutex<State>,
    /// How many there may be.
    most: usize,
}

/// Why a call was not begun.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another that is in flight has its id.
    IdInUse,
    /// As many are in flight as may.
    TooMany,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<Key, Call>,
    tokens: HashMap<Key, Token>,
    /// Tokens of calls that the client knows by others since it came back to them: whose, and by
    /// which.
    renamed: HashMap<Key, (Key, Bytes)>,
}

#[derive(Debug, Default)]
struct Token {
    /// How many calls have it; one, unless a client breaks the rules.
    calls: usize,
    /// Whether the client was told of progress under it.
    heard: bool,
    /// Of the call that has it, which lives as long as there is progress.
    activity: Option<Activity>,
}

#[derive(Debug)]
struct Call {
    abort: AbortHandle,
    token: Option<Key>,
    /// Whom to tell of a cancellation, and under which id; known once it was sent.
    sent: Option<Sent>,
    /// Whether somebody else tells of a cancellation.
    entrusted: bool,
}

impl Inflight {
    /// None yet, and at most this many.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Mutex::default(),
            most,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call by `spawn`, which must not block.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was begun.
    pub(crate) fn begin(
        &self,
        id: Key,
        token: Option<&Bytes>,
        spawn: impl FnOnce() -> AbortHandle,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        let token = token.map(Key::new);
        let is_full = state.calls.len() >= self.most;
        match state.calls.entry(id) {
            Entry::Occupied(_) => return Err(Refusal::IdInUse),
            Entry::Vacant(_) if is_full => return Err(Refusal::TooMany),
            // The lock is held, so the call cannot end before it is on record.
            Entry::Vacant(entry) => entry.insert(Call {
                abort: spawn(),
                token: token.clone(),
                sent: None,
                entrusted: false,
            }),
        };
        if let Some(token) = token {
            state.tokens.entry(token).or_default().calls += 1;
        }
        Ok(())
    }

    /// Notes whom the call went to.
    pub(crate) fn sent(&self, id: &Key, live: &Arc<Connection>, serial: u64) {
        if let Some(call) = self.state().calls.get_mut(id)
            && !call.entrusted
        {
            call.sent = Some((live.clone(), serial));
        }
    }

    /// Notes where progress under the call's token counts as a sign of life.
    pub(crate) fn shows_life_by(&self, id: &Key, activity: &Activity) {
        let mut state = self.state();
        let token = state.calls.get(id).and_then(|call| call.token.clone());
        if let Some(token) = token.and_then(|token| state.tokens.get_mut(&token)) {
            token.activity = Some(activity.clone());
        }
    }

    /// Leaves it to the caller to tell of a cancellation, whatever the call sends from now on.
    pub(crate) fn entrust(&self, id: &Key) {
        if let Some(call) = self.state().calls.get_mut(id) {
            (call.sent, call.entrusted) = (None, true);
        }
    }

    /// Notes that an upstream reports under `given` what this call's client knows as `known`.
    pub(crate) fn rename(&self, id: &Key, given: &Bytes, known: &Bytes) {
        let renamed = (id.clone(), known.clone());
        self.state().renamed.insert(Key::new(given), renamed);
    }

    /// The token by which a client knows what is reported under this one, which is not its own.
    pub(crate) fn known_as(&self, given: &Key) -> Option<Bytes> {
        let state = self.state();
        state.renamed.get(given).map(|(_, known)| known.clone())
    }

    /// Ends a call. `false` when it was cancelled meanwhile, and must not be answered.
    pub(crate) fn finish(&self, id: &Key) -> bool {
        self.state().take(id).is_some()
    }

    /// Notes that there is progress under this token. `false` when no call has it.
    pub(crate) fn hear(&self, token: &Key) -> bool {
        let mut state = self.state();
        let token = state.tokens.get_mut(token);
        let Some(token) = token else {
            return false;
        };
        token.heard = true;
        if let Some(activity) = &token.activity {
            activity.touch();
        }
        true
    }

    /// Whether the client was told of progress under this token.
    pub(crate) fn was_heard(&self, token: Option<&Bytes>) -> bool {
        let state = self.state();
        token.is_some_and(|token| state.tokens.get(&Key::new(token)).is_some_and(|t| t.heard))
    }

    /// Stops a call; `None` when there is none. Whom to tell comes back.
    pub(crate) fn abort(&self, id: &Key) -> Option<Option<Sent>> {
        let call = self.state().take(id)?;
        call.abort.abort();
        Some(call.sent)
    }

    /// Stops all calls. Whom to tell comes back.
    pub(crate) fn abort_all(&self) -> Vec<Sent> {
        let mut state = self.state();
        state.tokens.clear();
        state.renamed.clear();
        let stop = |(_, call): (_, Call)| {
            call.abort.abort();
            call.sent
        };
        state.calls.drain().filter_map(stop).collect()
    }
}

impl State {
    fn take(&mut self, id: &Key) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.renamed.retain(|_, (whose, _)| whose != id);
        if let Some(token) = &call.token
            && let Some(used) = self.tokens.get_mut(token)
        {
            used.calls -= 1;
            if used.calls == 0 {
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
        let inflight = Inflight::new(3);
        let spawn = || tokio::spawn(std::future::pending::<()>()).abort_handle();
        let key = |written: &'static str| Key::new(&Bytes::from_static(written.as_bytes()));
        let token = Bytes::from_static(b"1");
        let begin = |key, token| inflight.begin(key, token, spawn);
        assert_eq!(begin(key(r#""a""#), Some(&token)), Ok(()));
        let again = inflight.begin(key(r#""\u0061""#), None, || unreachable!());
        assert_eq!(again, Err(Refusal::IdInUse));
        assert_eq!(begin(key("1"), Some(&token)), Ok(()));
        assert_eq!(begin(key("1.0"), None), Ok(()));
        let more = inflight.begin(key("2"), Some(&token), || unreachable!());
        assert_eq!(more, Err(Refusal::TooMany));
        assert!(inflight.finish(&key(r#""a""#)));
        assert!(!inflight.was_heard(Some(&token)));
        assert!(inflight.hear(&key("1")));
        assert!(inflight.was_heard(Some(&token)));
        assert!(inflight.abort(&key("1")).is_some());
        assert!(!inflight.hear(&key("1")));
        assert!(!inflight.finish(&key("1")));
        assert!(inflight.abort_all().is_empty());
        assert!(!inflight.finish(&key("1.0")));
    }
}
