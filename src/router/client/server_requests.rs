//! What the client was asked and has not answered: requests of upstreams, each under an id of ours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::protocol::json_key::Key;
use crate::upstream::Connection;
use crate::wire::Message;
use crate::wire::splice::decode;

/// How many requests of one upstream may wait for the client's answers, and how many of calls. Far
/// more than a person can have open.
const MAX_WAITING: usize = 1024;

/// What the ids of these requests begin with.
const PREFIX: &str = "mcp-manifold-";

/// The id of one of these requests, as it is written.
pub(crate) fn written(serial: u64) -> String {
    format!("\"{PREFIX}{serial}\"")
}

/// All requests that the client has not answered.
#[derive(Debug)]
pub(crate) struct Asks {
    /// How long a call waits for the client's answer.
    patience: Duration,
    last: AtomicU64,
    // std's Mutex: held for one operation on a map, never across an await.
    waiting: Mutex<HashMap<u64, Asked>>,
}

#[derive(Debug)]
struct Asked {
    asker: Asker,
    since: Instant,
    token: Option<Token>,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Asker {
    /// An upstream, which knows the request by this `id`, and asked on the stream of this `call`.
    Upstream {
        live: Arc<Connection>,
        id: Bytes,
        call: Option<u64>,
    },
    /// A call, which will pass it on in a request of its own.
    Call(oneshot::Sender<Message>),
}

/// A token under which the client may report progress.
#[derive(Debug)]
struct Token {
    /// As the client knows it.
    key: Key,
    /// As the upstream wrote it, where the client knows another: two upstreams may give the same.
    given: Option<Bytes>,
}

/// How a request goes to the client.
pub(crate) struct Entered {
    pub(crate) serial: u64,
    /// The progress token that it gets there, where that is another than its own.
    pub(crate) token: Option<String>,
}

impl Asks {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            last: AtomicU64::new(0),
            waiting: Mutex::default(),
        }
    }

    /// Enters a request with its progress token; `None` when there are too many.
    pub(crate) fn enter(&self, asker: Asker, token: Option<Bytes>) -> Option<Entered> {
        let mut waiting = self.lock();
        let waits_too = |asked: &&Asked| match &asker {
            Asker::Upstream { live, .. } => asked.is_of(live, |_, _| true),
            Asker::Call(_) => matches!(asked.asker, Asker::Call(_)),
        };
        if waiting.values().filter(waits_too).count() >= MAX_WAITING {
            // Those that were asked too long ago for anybody to wait for.
            waiting.retain(|_, asked| asked.since.elapsed() < self.patience);
            if waiting.values().filter(waits_too).count() >= MAX_WAITING {
                return None;
            }
        }
        let serial = 1 + self.last.fetch_add(1, Ordering::Relaxed);
        let is_used = |key: &Key| {
            let mut used = waiting.values().filter_map(|asked| asked.token.as_ref());
            used.any(|used| used.key == *key)
        };
        let key = token.as_ref().map(Key::new);
        let renamed = key.as_ref().filter(|key| is_used(key));
        let renamed = renamed.map(|_| written(serial));
        let token = match &renamed {
            Some(renamed) => Some(Token {
                key: Key::new(&renamed.clone().into()),
                given: token,
            }),
            None => key.map(|key| Token { key, given: None }),
        };
        let since = Instant::now();
        waiting.insert(
            serial,
            Asked {
                asker,
                since,
                token,
            },
        );
        Some(Entered {
            serial,
            token: renamed,
        })
    }

    pub(crate) fn take(&self, serial: u64) -> Option<Asker> {
        Some(self.lock().remove(&serial)?.asker)
    }

    /// Takes the request that this response answers.
    pub(crate) fn answered(&self, response: &Message) -> Option<Asker> {
        let id = response.id()?;
        let id = decode(&id)?;
        self.take(id.strip_prefix(PREFIX)?.parse().ok()?)
    }

    /// Whom the progress under this token is for, and the token that they gave if it is another.
    pub(crate) fn reporting_to(&self, token: &Key) -> Option<(Arc<Connection>, Option<Bytes>)> {
        self.lock().values().find_map(|asked| {
            let known = asked.token.as_ref().filter(|known| known.key == *token)?;
            match &asked.asker {
                Asker::Upstream { live, .. } => Some((live.clone(), known.given.clone())),
                Asker::Call(_) => None,
            }
        })
    }

    /// Whether the upstream may be waiting for the client in this call of its, and not too long.
    pub(crate) fn is_asking(&self, live: &Arc<Connection>, serial: u64) -> bool {
        let in_call = |_: &Bytes, call: Option<u64>| call.is_none_or(|call| call == serial);
        self.lock()
            .values()
            .any(|asked| asked.since.elapsed() < self.patience && asked.is_of(live, in_call))
    }

    /// Takes out those of this upstream's requests that `pick` picks by their ids there, and by
    /// the call on whose stream they came.
    pub(crate) fn withdraw(
        &self,
        live: &Arc<Connection>,
        pick: impl Fn(&Bytes, Option<u64>) -> bool,
    ) -> Vec<u64> {
        let mut waiting = self.lock();
        let gone = waiting.extract_if(|_, asked| asked.is_of(live, &pick));
        gone.map(|(serial, _)| serial).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn is_of(&self, live: &Arc<Connection>, pick: impl Fn(&Bytes, Option<u64>) -> bool) -> bool {
        match &self.asker {
            Asker::Upstream {
                live: asking,
                id,
                call,
            } => Arc::ptr_eq(asking, live) && pick(id, *call),
            Asker::Call(_) => false,
        }
    }
}
