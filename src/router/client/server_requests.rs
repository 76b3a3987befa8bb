//! The server requests that the client has not answered, each under an id of the proxy.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::number::SessionNumber;
use crate::protocol::json_key::JsonKey;
use crate::sync::Mutex;
use crate::upstream::ConnectionUse;
use crate::wire::Message;

/// The maximum number of unanswered requests of one upstream, and of calls. Far more than a user can answer.
const MAX_PENDING: usize = 1024;

/// All server requests that one client has not answered.
#[derive(Debug)]
pub(crate) struct PendingServerRequests {
    number: SessionNumber,
    /// The deadline for the client's answer.
    input_wait: Duration,
    last_serial: AtomicU64,
    pending: Mutex<HashMap<u64, Pending>>,
    /// The ids of the latest elicitations that were sent to the client.
    elicitations: Mutex<VecDeque<JsonKey>>,
}

#[derive(Debug)]
struct Pending {
    requester: Requester,
    since: Instant,
    token: Option<Token>,
}

/// The sender of a server request, which waits for the answer.
#[derive(Debug)]
pub(crate) enum Requester {
    /// An upstream. `id` is the request's id there, `call` the call on whose stream the request came.
    Upstream {
        connection: ConnectionUse,
        id: Bytes,
        call: Option<u64>,
    },
    /// A call, which sends the answer to its upstream in a retry.
    Call(oneshot::Sender<Message>),
}

/// A token under which the client may send progress.
#[derive(Debug)]
struct Token {
    /// The token at the client.
    key: JsonKey,
    /// The upstream's own token, if the client's differs. Two upstreams may use the same token.
    upstream_token: Option<Bytes>,
}

/// A server request that is about to be sent to the client.
pub(crate) struct Registered {
    pub(crate) serial: u64,
    /// The request's progress token at the client, if that differs from the upstream's.
    pub(crate) token: Option<String>,
}

impl PendingServerRequests {
    /// Creates an empty table for the client with this number.
    pub(crate) fn new(number: SessionNumber, input_wait: Duration) -> Self {
        Self {
            number,
            input_wait,
            last_serial: AtomicU64::new(0),
            pending: Mutex::default(),
            elicitations: Mutex::default(),
        }
    }

    /// The id of a request at the client, as JSON.
    pub(crate) fn wire_id(&self, serial: u64) -> String {
        self.number.wire_id(serial)
    }

    /// Registers a request with its progress token. `None` if the limit is reached.
    pub(crate) fn register(
        &self,
        requester: Requester,
        token: Option<Bytes>,
    ) -> Option<Registered> {
        let mut pending = self.pending.lock();
        let has_same_origin = |it: &&Pending| match &requester {
            Requester::Upstream { connection, .. } => it.is_from(connection, |_, _| true),
            Requester::Call(_) => matches!(it.requester, Requester::Call(_)),
        };
        if pending.values().filter(has_same_origin).count() >= MAX_PENDING {
            // Drop the requests that have timed out.
            pending.retain(|_, it| it.since.elapsed() < self.input_wait);
            if pending.values().filter(has_same_origin).count() >= MAX_PENDING {
                return None;
            }
        }
        let serial = 1 + self.last_serial.fetch_add(1, Ordering::Relaxed);
        let is_used = |key: &JsonKey| {
            let mut used = pending.values().filter_map(|it| it.token.as_ref());
            used.any(|used| used.key == *key)
        };
        let key = token.as_ref().map(JsonKey::new);
        let renamed = key.as_ref().filter(|key| is_used(key));
        let renamed = renamed.map(|_| self.wire_id(serial));
        let token = match &renamed {
            Some(renamed) => Some(Token {
                key: JsonKey::new(&renamed.clone().into()),
                upstream_token: token,
            }),
            None => key.map(|key| Token {
                key,
                upstream_token: None,
            }),
        };
        let entry = Pending {
            requester,
            since: Instant::now(),
            token,
        };
        pending.insert(serial, entry);
        Some(Registered {
            serial,
            token: renamed,
        })
    }

    /// Records the `elicitationId` of a request.
    pub(crate) fn record_elicitation(&self, id: JsonKey) {
        let mut elicitations = self.elicitations.lock();
        if elicitations.len() == MAX_PENDING {
            elicitations.pop_front();
        }
        elicitations.push_back(id);
    }

    /// Whether this elicitation was sent to the client.
    pub(crate) fn has_elicitation(&self, id: &JsonKey) -> bool {
        self.elicitations.lock().contains(id)
    }

    /// Removes and returns a request.
    pub(crate) fn take(&self, serial: u64) -> Option<Requester> {
        Some(self.pending.lock().remove(&serial)?.requester)
    }

    /// Removes and returns the request that this response of the client answers.
    pub(crate) fn take_answered(&self, response: &Message) -> Option<Requester> {
        self.take(self.number.parse_serial(&response.id()?)?)
    }

    /// Removes all requests. Returns those of upstreams, each as its connection and its id there.
    pub(crate) fn drain(&self) -> Vec<(ConnectionUse, Bytes)> {
        let all = std::mem::take(&mut *self.pending.lock()).into_values();
        let of_upstreams = all.filter_map(|it| match it.requester {
            Requester::Upstream { connection, id, .. } => Some((connection, id)),
            Requester::Call(_) => None,
        });
        of_upstreams.collect()
    }

    /// The connection that progress under this token is for, and the upstream's own token if that differs.
    pub(crate) fn progress_target(&self, key: &JsonKey) -> Option<(ConnectionUse, Option<Bytes>)> {
        self.pending.lock().values().find_map(|it| {
            let token = it.token.as_ref().filter(|token| token.key == *key)?;
            match &it.requester {
                Requester::Upstream { connection, .. } => {
                    Some((connection.clone(), token.upstream_token.clone()))
                }
                Requester::Call(_) => None,
            }
        })
    }

    /// Whether the upstream may wait for the client in this call. Requests that have timed out do not count.
    pub(crate) fn is_pending_in(&self, connection: &ConnectionUse, upstream_id: u64) -> bool {
        let in_call = |_: &Bytes, call: Option<u64>| call.is_none_or(|call| call == upstream_id);
        let pending = self.pending.lock();
        let mut recent = pending
            .values()
            .filter(|it| it.since.elapsed() < self.input_wait);
        recent.any(|it| it.is_from(connection, in_call))
    }

    /// Removes the requests of this connection that `selects` accepts. Returns their serial numbers.
    ///
    /// `selects` receives the id of a request, and the call on whose stream it came.
    pub(crate) fn remove_matching(
        &self,
        connection: &ConnectionUse,
        selects: impl Fn(&Bytes, Option<u64>) -> bool,
    ) -> Vec<u64> {
        let mut pending = self.pending.lock();
        let removed = pending.extract_if(|_, it| it.is_from(connection, &selects));
        removed.map(|(serial, _)| serial).collect()
    }
}

impl Pending {
    fn is_from(
        &self,
        connection: &ConnectionUse,
        selects: impl Fn(&Bytes, Option<u64>) -> bool,
    ) -> bool {
        match &self.requester {
            Requester::Upstream {
                connection: requester,
                id,
                call,
            } => requester.is_same(connection) && selects(id, *call),
            Requester::Call(_) => false,
        }
    }
}
