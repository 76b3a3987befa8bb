//! What the client is asked: requests of upstreams, each under an id of ours, until it answers.
//! Only a legacy client can be sent requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::Router;
use super::bridge::{self, input};
use super::inflight::Key;
use crate::upstream::{Live, answer_to};
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

/// How many requests may wait for the client's answers. Far more than a person can have open.
const MAX_WAITING: usize = 1024;

/// What the ids of these requests begin with.
const PREFIX: &str = "mcp-manifold-";

/// All requests that the client has not answered.
#[derive(Debug, Default)]
pub(super) struct Asks {
    last: AtomicU64,
    // std's Mutex: held for one operation on a map, never across an await.
    waiting: Mutex<HashMap<u64, Asked>>,
}

#[derive(Debug)]
struct Asked {
    asker: Asker,
    /// Under which token the client may report progress.
    token: Option<Key>,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) enum Asker {
    /// An upstream, which knows the request by this id.
    Upstream(Arc<Live>, Bytes),
    /// A call, which will pass it on in a request of its own.
    Call(oneshot::Sender<Message>),
}

impl Asks {
    /// Enters a request; `None` when there are too many.
    fn enter(&self, asker: Asker, token: Option<Key>) -> Option<u64> {
        let mut waiting = self.lock();
        if waiting.len() >= MAX_WAITING {
            return None;
        }
        let serial = 1 + self.last.fetch_add(1, Ordering::Relaxed);
        waiting.insert(serial, Asked { asker, token });
        Some(serial)
    }

    fn take(&self, serial: u64) -> Option<Asker> {
        Some(self.lock().remove(&serial)?.asker)
    }

    /// Whether this upstream waits for the client.
    pub(super) fn is_asking(&self, live: &Arc<Live>) -> bool {
        let waiting = self.lock();
        waiting.values().any(|asked| asked.is_of(live))
    }

    /// Takes out those of this upstream's requests that `pick` picks by their ids there.
    fn withdraw(&self, live: &Arc<Live>, pick: impl Fn(&Bytes) -> bool) -> Vec<u64> {
        let mut waiting = self.lock();
        let picked = |asked: &Asked| match &asked.asker {
            Asker::Upstream(asking, id) => Arc::ptr_eq(asking, live) && pick(id),
            Asker::Call(_) => false,
        };
        let gone = waiting.extract_if(|_, asked| picked(asked));
        gone.map(|(serial, _)| serial).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn is_of(&self, live: &Arc<Live>) -> bool {
        matches!(&self.asker, Asker::Upstream(asking, _) if Arc::ptr_eq(asking, live))
    }
}

/// The id of one of these requests, as it is written.
fn written(serial: u64) -> String {
    format!("\"{PREFIX}{serial}\"")
}

impl Router {
    /// Passes a legacy upstream's request to the client; its answer goes back by itself.
    pub(super) async fn ask_client(&self, live: &Arc<Live>, request: &Message) {
        let Some(id) = request.id() else { return };
        let token = super::inflight::progress_token(request)
            .as_ref()
            .map(Key::new);
        let Some(serial) = self.asks.enter(Asker::Upstream(live.clone(), id), token) else {
            warn!(method = %request.method(), "the client owes too many answers; refusing");
            return self.answer_upstream(live, bridge::overloaded(request));
        };
        debug!(serial, method = %request.method(), "asking the client");
        self.send(Line::with_id(request, written(serial).into()))
            .await;
    }

    /// Takes what an upstream asks on a stream that belongs to no call: it goes through a call of a
    /// modern client if there is one, and to a legacy client in any case. Nobody else can be asked.
    pub(super) async fn be_asked(&self, live: &Arc<Live>, request: Message) {
        if !live.identity.can_answer(&request) {
            return self.refuse_upstream(live, &request);
        }
        let Some(request) = live.callers.hand(request) else {
            return;
        };
        if self.announcements.is_legacy() && live.serves(&self.client.session()) {
            return self.ask_client(live, &request).await;
        }
        match request
            .id()
            .filter(|_| request.method() == input::ELICITATION)
        {
            // Nobody is there to be asked, which is what a person's silence comes to.
            Some(id) => {
                let declined = input::response(&id, Bytes::from_static(input::NO_ANSWER));
                self.answer_upstream(live, declined);
            }
            None => self.refuse_upstream(live, &request),
        }
    }

    /// Asks the client on behalf of a call: by the text of a request without an id. The guard takes
    /// the request back when it is dropped before the answer; `None` when there are too many.
    pub(super) async fn ask_for_call(
        self: &Arc<Self>,
        request: impl FnOnce(&str) -> Bytes,
    ) -> Option<Pending> {
        let (sender, answer) = oneshot::channel();
        let serial = self.asks.enter(Asker::Call(sender), None)?;
        let pending = Pending {
            router: self.clone(),
            serial,
            answer,
        };
        self.send(Line::whole(request(&written(serial)))).await;
        Some(pending)
    }

    /// Takes the client's answer to a request that it was sent.
    pub fn answered(self: &Arc<Self>, response: &Message) {
        let asker = response.id().and_then(|id| {
            let id = decode(&id)?;
            self.asks.take(id.strip_prefix(PREFIX)?.parse().ok()?)
        });
        match asker {
            None => debug!("ignoring a response to what nobody asked"),
            Some(Asker::Call(waiting)) => drop(waiting.send(response.clone())),
            Some(Asker::Upstream(live, id)) => {
                let body = Line::with_id(response, id).into_bytes();
                self.answer_upstream(&live, body);
            }
        }
    }

    /// Passes the client's word on how far it is with a request of an upstream's.
    pub(super) fn report_progress(&self, notification: &Message) {
        let Some(token) = notification.param("progressToken") else {
            return;
        };
        let token = Key::new(&notification.bytes().slice_ref(token.value()));
        let live = self
            .asks
            .lock()
            .values()
            .find_map(|asked| match &asked.asker {
                Asker::Upstream(live, _) if asked.token.as_ref() == Some(&token) => {
                    Some(live.clone())
                }
                _ => None,
            });
        match live {
            Some(live) => self.answer_upstream(&live, notification.bytes().clone()),
            None => debug!("dropping progress under a token that no upstream gave"),
        }
    }

    /// An upstream no longer wants an answer.
    pub(super) async fn withdraw(&self, live: &Arc<Live>, notification: &Message) {
        let Some(id) = notification.param("requestId") else {
            return;
        };
        let same = |asked: &Bytes| super::inflight::is_same(asked, id.value());
        for serial in self.asks.withdraw(live, same) {
            let line = bridge::cancelled(notification, written(serial).into_bytes());
            self.send(Line::whole(line)).await;
        }
    }

    /// A connection is lost, and nobody can take the answers to what it has asked.
    pub(super) fn withdraw_all(&self, live: &Arc<Live>) {
        for serial in self.asks.withdraw(live, |_| true) {
            self.call_off(serial, "the connection to the server was lost");
        }
    }

    /// Tells the client that its answer is no longer wanted, without waiting for it.
    fn call_off(&self, serial: u64, reason: &str) {
        let params = json!({"requestId": format!("{PREFIX}{serial}"), "reason": reason});
        let line = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        let (line, outbox) = (Line::whole(line.to_string().into()), self.outbox.clone());
        self.tasks.spawn(async move { outbox.send(line).await });
    }

    /// Sends an answer to an upstream, beside everything else.
    pub(super) fn answer_upstream(&self, live: &Arc<Live>, body: Bytes) {
        let live = live.clone();
        self.tasks.spawn(async move {
            if let Err(error) = live.notify(body).await {
                debug!(%error, "could not answer the upstream");
            }
        });
    }

    /// Refuses what an upstream asks.
    pub(super) fn refuse_upstream(&self, live: &Arc<Live>, request: &Message) {
        debug!(method = %request.method(), "refusing what the upstream asks");
        self.answer_upstream(live, answer_to(request));
    }
}

/// A request on behalf of a call that the client has not answered.
#[derive(Debug)]
pub(super) struct Pending {
    router: Arc<Router>,
    serial: u64,
    answer: oneshot::Receiver<Message>,
}

impl Pending {
    /// The client's response.
    pub(super) async fn answer(mut self) -> Option<Message> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.router.asks.take(self.serial).is_some() {
            self.router
                .call_off(self.serial, "the call that asked has ended");
        }
    }
}
