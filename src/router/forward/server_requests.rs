//! Asking the client what upstreams ask: a legacy one by requests, to which its answers go back by
//! themselves. A modern client is asked by the answers to its own requests, in `parking`.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::json_key::{Key, is_same, progress_token};
use crate::protocol::reply::{answer_to, cancelled};
use crate::router::Router;
use crate::router::client::server_requests::{Asker, Entered, written};
use crate::upstream::{Connection, TransportError};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

impl Router {
    /// Passes a legacy upstream's request to the client; its answer goes back by itself. `call` is
    /// the one on whose stream it came.
    pub(crate) async fn ask_client(
        &self,
        live: &Arc<Connection>,
        call: Option<u64>,
        request: &Message,
    ) {
        let Some(id) = request.id() else { return };
        let asker = Asker::Upstream {
            live: live.clone(),
            id,
            call,
        };
        let Some(Entered { serial, token }) = self.asks.enter(asker, progress_token(request))
        else {
            warn!(method = %request.method(), "the client owes too many answers; refusing");
            return self.answer_upstream(live, bridge::overloaded(request));
        };
        debug!(serial, method = %request.method(), "asking the client");
        let renamed = token.and_then(|token| bridge::with_token(request, &token));
        let request = renamed.as_ref().unwrap_or(request);
        self.send(Line::with_id(request, written(serial).into()))
            .await;
    }

    /// Takes what an upstream asks on a stream that belongs to no call: it goes through a call of a
    /// modern client if there is one, and to a legacy client in any case. Nobody else can be asked.
    pub(crate) async fn be_asked(&self, live: &Arc<Connection>, request: Message) {
        if !live.identity.can_answer(&request) {
            return self.refuse_upstream(live, &request);
        }
        let request = match live.identity.accepts_server_request(&request, Era::Modern) {
            true => live.callers.hand(request),
            false => Some(request),
        };
        let Some(request) = request else { return };
        if self.announcements.is_legacy() && live.serves(&self.client.session()) {
            return self.ask_client(live, None, &request).await;
        }
        self.decline(live, &request);
    }

    /// Answers an upstream for a client that cannot be asked now.
    pub(crate) fn decline(&self, live: &Arc<Connection>, request: &Message) {
        match request
            .id()
            .filter(|_| request.method() == input::ELICITATION)
        {
            // Nobody is there to be asked, which is what a person's silence comes to.
            Some(id) => {
                let declined = input::response(&id, Bytes::from_static(input::NO_ANSWER));
                self.answer_upstream(live, declined);
            }
            None => self.refuse_upstream(live, request),
        }
    }

    /// Asks the client on behalf of a call: by the text of a request without an id. The guard takes
    /// the request back when it is dropped before the answer; `None` when there are too many.
    pub(crate) async fn ask_for_call(
        self: &Arc<Self>,
        request: impl FnOnce(&str) -> Bytes,
    ) -> Option<Pending> {
        let (sender, answer) = oneshot::channel();
        let Entered { serial, .. } = self.asks.enter(Asker::Call(sender), None)?;
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
        match self.asks.answered(response) {
            None => debug!("ignoring a response to what nobody asked"),
            Some(Asker::Call(waiting)) => drop(waiting.send(response.clone())),
            Some(Asker::Upstream { live, id, .. }) => {
                let body = Line::with_id(response, id.clone()).into_bytes();
                self.tasks
                    .spawn(async move { deliver(&live, &id, body).await });
            }
        }
    }

    /// Passes the client's word on how far it is with a request of an upstream's.
    pub(crate) fn report_progress(&self, notification: &Message) {
        let Some(token) = notification.param("progressToken") else {
            return;
        };
        let key = Key::new(&notification.bytes().slice_ref(token.value()));
        let Some((live, given)) = self.asks.reporting_to(&key) else {
            return debug!("dropping progress under a token that no upstream gave");
        };
        let body = match given {
            Some(given) => bridge::with_param(notification, "progressToken", &given),
            None => notification.bytes().clone(),
        };
        self.answer_upstream(&live, body);
    }

    /// An upstream no longer wants an answer.
    pub(crate) async fn withdraw(&self, live: &Arc<Connection>, notification: &Message) {
        let Some(id) = notification.param("requestId") else {
            return;
        };
        let same = |asked: &Bytes, _| is_same(asked, id.value());
        for serial in self.asks.withdraw(live, same) {
            let line = bridge::with_param(notification, "requestId", written(serial).as_bytes());
            self.send(Line::whole(line)).await;
        }
    }

    /// A connection is lost, and nobody can take the answers to what it has asked.
    pub(crate) fn withdraw_all(&self, live: &Arc<Connection>) {
        for serial in self.asks.withdraw(live, |_, _| true) {
            self.call_off(serial, "the connection to the server was lost");
        }
    }

    /// A call is lost, and with it the use of what was asked on its stream.
    pub(crate) fn withdraw_of_call(&self, live: &Arc<Connection>, serial: u64) {
        for serial in self.asks.withdraw(live, |_, call| call == Some(serial)) {
            self.call_off(serial, "the call that asked was lost");
        }
    }

    /// Tells the client that its answer is no longer wanted, without waiting for it.
    fn call_off(&self, serial: u64, reason: &str) {
        let id = written(serial);
        let line = cancelled(decode(id.as_bytes()), reason);
        let (line, outbox) = (Line::whole(line), self.outbox.clone());
        self.tasks.spawn(async move { outbox.send(line).await });
    }

    /// Sends an answer to an upstream, beside everything else.
    pub(crate) fn answer_upstream(&self, live: &Arc<Connection>, body: Bytes) {
        let live = live.clone();
        self.tasks.spawn(async move {
            if let Err(error) = live.notify(body).await {
                debug!(%error, "could not answer the upstream");
            }
        });
    }

    /// Refuses what an upstream asks.
    pub(crate) fn refuse_upstream(&self, live: &Arc<Connection>, request: &Message) {
        debug!(method = %request.method(), "refusing what the upstream asks");
        self.answer_upstream(live, answer_to(request));
    }
}

/// Brings an upstream the client's answer to its request. One that the upstream refuses is no answer,
/// and the upstream would wait for another: it gets an error.
pub(crate) async fn deliver(
    live: &Connection,
    id: &[u8],
    answer: Bytes,
) -> Result<(), TransportError> {
    match live.notify(answer).await {
        Err(TransportError::Status { status, .. }) if status.is_client_error() => {
            debug!(%status, "the upstream refused the client's answer");
            let text = "the client's answer was refused";
            let error = Line::error(id, code::INTERNAL_ERROR, text, &serde_json::Value::Null);
            live.notify(error.into_bytes()).await
        }
        other => other.inspect_err(|error| debug!(%error, "could not answer the upstream")),
    }
}

/// A request on behalf of a call that the client has not answered.
#[derive(Debug)]
pub(crate) struct Pending {
    router: Arc<Router>,
    serial: u64,
    answer: oneshot::Receiver<Message>,
}

impl Pending {
    /// The client's response.
    pub(crate) async fn answer(mut self) -> Option<Message> {
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
