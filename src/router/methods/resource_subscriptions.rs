//! `resources/subscribe` and `resources/unsubscribe` of a legacy client. A legacy upstream whose main
//! session serves the client gets them as they are; all others are subscribed to on our own account,
//! always in the main session, which is kept subscribed.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::listen::SUBSCRIBE_TIMEOUT;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::router::client::subscriptions::{MAX_URIS, Subscriptions, covers};
use crate::upstream::{Connection, SubscriptionGuard, Upstream, UpstreamId};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// A resource that the session is subscribed to, or is about to be.
#[derive(Debug, Default)]
pub(crate) struct Subscribed {
    /// How many requests for it are under way.
    asking: usize,
    wishes: Option<SubscriptionGuard>,
}

/// A request to subscribe that is under way.
struct Asking<'a> {
    subscriptions: &'a Subscriptions,
    uri: Arc<str>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.subscriptions.lock();
        if let Some(subscribed) = state.session.get_mut(&self.uri) {
            subscribed.asking -= 1;
            if subscribed.asking == 0 && subscribed.wishes.is_none() {
                state.session.remove(&self.uri);
            }
        }
    }
}

impl Subscriptions {
    /// Notes that the session is about to be subscribed; `None` when it is to too much already.
    fn ask(&self, uri: &str) -> Option<Asking<'_>> {
        let mut state = self.lock();
        if state.session.len() >= MAX_URIS && !state.session.contains_key(uri) {
            return None;
        }
        let uri = Arc::from(uri);
        state.session.entry(Arc::clone(&uri)).or_default().asking += 1;
        Some(Asking {
            subscriptions: self,
            uri,
        })
    }

    /// Notes that the session is subscribed.
    fn join(&self, asking: &Asking<'_>, wishes: SubscriptionGuard) {
        let mut state = self.lock();
        let subscribed = state.session.entry(asking.uri.clone()).or_default();
        let old = subscribed.wishes.replace(wishes);
        drop((state, old));
    }

    /// Ends the session's subscription.
    fn leave(&self, uri: &str) -> Option<SubscriptionGuard> {
        let mut state = self.lock();
        let subscribed = state.session.get_mut(uri)?;
        let wishes = subscribed.wishes.take();
        if subscribed.asking == 0 {
            state.session.remove(uri);
        }
        wishes
    }

    /// What the session is subscribed to at upstreams that are not there, by what `is_there` says.
    fn stray(&self, is_there: impl Fn(&Upstream) -> bool) -> Vec<Arc<str>> {
        let state = self.lock();
        let is_stray = |(uri, it): (&Arc<str>, &Subscribed)| {
            let wishes = it.wishes.as_ref()?;
            (!is_there(wishes.upstream())).then(|| uri.clone())
        };
        state.session.iter().filter_map(is_stray).collect()
    }

    /// Who tells the session of this resource.
    fn session_upstream(&self, uri: &str) -> Option<Upstream> {
        let state = self.lock();
        let wishes = state.session.get(uri)?.wishes.as_ref();
        Some(wishes?.upstream().clone())
    }

    /// Whether the session is to hear of an update.
    pub(crate) fn session_wants(&self, upstream: UpstreamId, uri: &str) -> bool {
        let state = self.lock();
        covers(uri, |uri| {
            let subscribed = state.session.get(uri);
            subscribed.is_some_and(|subscribed| {
                let wishes = subscribed.wishes.as_ref();
                subscribed.asking > 0 || wishes.is_some_and(|w| w.upstream().id() == upstream)
            })
        })
    }
}

impl Router {
    /// Begins a `resources/subscribe`; its answer goes to the client by itself.
    pub(crate) async fn subscribe(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(uri) = self.only(&message, "uri").await {
            self.relay(message, client, uri, |router, request| async move {
                router.join(&request).await
            })
            .await;
        }
    }

    /// Begins a `resources/unsubscribe`; its answer goes to the client by itself.
    pub(crate) async fn unsubscribe(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(uri) = self.only(&message, "uri").await {
            self.relay(message, client, uri, |router, request| async move {
                router.leave(&request).await
            })
            .await;
        }
    }

    async fn join(self: &Arc<Self>, request: &Relayed) -> Line {
        let uri = &request.subject;
        let Some(asking) = self.subscriptions.ask(uri) else {
            let text = format!("subscribed to {MAX_URIS} resources already; unsubscribe from one");
            return request.refused(code::INVALID_PARAMS, &text);
        };
        let mut refused = None;
        for upstream in self.who_has(uri).await {
            match self.join_at(request, &asking, &upstream).await {
                (line, Some(wishes)) => {
                    self.subscriptions.join(&asking, wishes);
                    return line;
                }
                (line, None) => refused = Some(line),
            }
        }
        refused.unwrap_or_else(|| nobody_has(request))
    }

    async fn join_at(
        self: &Arc<Self>,
        request: &Relayed,
        asking: &Asking<'_>,
        upstream: &Upstream,
    ) -> (Line, Option<SubscriptionGuard>) {
        let uri = asking.uri.clone();
        let takes = match upstream.connected(SUBSCRIBE).await {
            Ok(live) => takes_as_asked(&live, request),
            Err(error) => return (request.answered(upstream, Err(error)), None),
        };
        if takes {
            let mark = upstream.mark();
            let (line, is_taken) = self.pass(request, SUBSCRIBE, upstream).await;
            return (line, is_taken.then(|| upstream.want_as_asked(uri, mark)));
        }
        let mut wishes = upstream.want(vec![uri]);
        wishes.settle(SUBSCRIBE_TIMEOUT).await;
        if wishes.uris().is_empty() {
            let (name, uri) = (&upstream.config().name, &asking.uri);
            let text =
                format!("`{name}` does not tell of updates of `{uri}`; read it anew instead");
            return (request.refused(code::INVALID_PARAMS, &text), None);
        }
        (done(request), Some(wishes))
    }

    /// Subscribes the session elsewhere to what it was subscribed to at upstreams that are not there any
    /// more, or not as they were.
    pub(crate) async fn move_session(&self) {
        let is_there = |upstream: &Upstream| self.upstreams.has(upstream);
        for uri in self.subscriptions.stray(is_there) {
            // Nobody else takes it up under the same URI meanwhile, or that one stays.
            let Some(asking) = self.subscriptions.ask(&uri) else {
                continue;
            };
            let old = self.subscriptions.leave(&uri);
            if let Some(wishes) = self.want(vec![uri]).await.pop() {
                self.subscriptions.join(&asking, wishes);
            }
            drop(old);
        }
    }

    async fn leave(self: &Arc<Self>, request: &Relayed) -> Line {
        let uri = &request.subject;
        let subscribed = self.subscriptions.session_upstream(uri);
        let (who, own) = match subscribed {
            Some(upstream) => (vec![upstream], 1),
            None => (self.who_has(uri).await, 0),
        };
        let mut refused = None;
        for upstream in who {
            let live = upstream.ready();
            let takes = live.is_some_and(|live| takes_as_asked(&live, request));
            // A server knows one subscription of ours, which is not to end under the others' hands.
            if !takes || upstream.wanting(uri) > own {
                drop(self.subscriptions.leave(uri));
                return done(request);
            }
            match self.pass(request, UNSUBSCRIBE, &upstream).await {
                (line, true) => {
                    if let Some(wishes) = self.subscriptions.leave(uri) {
                        wishes.ended_as_asked();
                    }
                    return line;
                }
                (line, false) => refused = Some(line),
            }
        }
        refused.unwrap_or_else(|| nobody_has(request))
    }

    /// The upstream's own answer, and whether it is a result.
    async fn pass(
        self: &Arc<Self>,
        request: &Relayed,
        method: &'static str,
        upstream: &Upstream,
    ) -> (Line, bool) {
        let uri = &request.subject;
        let quoted = json!(uri).to_string();
        let target = Target::read(method, "uri", uri, quoted.as_bytes());
        self.read_from(request, &target, upstream).await
    }
}

/// Whether the client's own request subscribes the main session, and no other.
fn takes_as_asked(live: &Connection, request: &Relayed) -> bool {
    live.profile.era == Era::Legacy && live.serves(&request.speaker.identity)
}

fn done(request: &Relayed) -> Line {
    Line::result(&request.id, Bytes::from_static(b"{}"))
}

fn nobody_has(request: &Relayed) -> Line {
    let uri = &request.subject;
    let text = format!("no server has the resource `{uri}`; list the resources again");
    request.refused(code::INVALID_PARAMS, &text)
}
