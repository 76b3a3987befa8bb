//! What reaches the client without its asking: notifications of upstreams, and our own
//! that the list of tools has changed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::future::BoxFuture;
use tracing::debug;

use super::Router;
use super::forward::notify::News;
use crate::catalog::Catalog;
use crate::protocol::{Era, ItemKind, ItemList};
use crate::upstream::{Connection, Events, UpstreamId};
use crate::wire::{Line, Message};

const TOOLS_CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// Passes the notifications of the upstreams on.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Weak: the router owns the upstreams, whose tasks own this.
    router: Weak<Router>,
}

impl Relay {
    pub(crate) fn new(router: &Arc<Router>) -> Self {
        Self {
            router: Arc::downgrade(router),
        }
    }
}

impl Events for Relay {
    fn notification(
        &self,
        upstream: UpstreamId,
        live: Arc<Connection>,
        message: Message,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(router) = self.router.upgrade() else {
                return;
            };
            match &*message.method() {
                "notifications/cancelled" => {
                    live.callers.tell(&message);
                    router.withdraw(&live, &message).await;
                }
                "notifications/message" => router.hear_log(upstream, &live, &message).await,
                method => {
                    let kinds = ItemKind::changed_by(method).unwrap_or_default();
                    router.announced_items.forget(upstream, kinds);
                    router.hear(upstream, message.clone()).await;
                }
            }
        })
    }

    fn request(&self, live: Arc<Connection>, request: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(router) = self.router.upgrade() {
                router.be_asked(&live, request).await;
            }
        })
    }

    fn has_sent_items(&self, upstream: UpstreamId, kind: ItemKind) -> bool {
        let router = self.router.upgrade();
        router.is_some_and(|router| router.announced_items.was_sent(upstream, kind))
    }

    fn items_listed(
        &self,
        upstream: UpstreamId,
        lists: Vec<(ItemKind, ItemList)>,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(router) = self.router.upgrade() {
                router.compare_items(upstream, &lists).await;
            }
        })
    }

    fn ended(&self, live: &Arc<Connection>) {
        if let Some(router) = self.router.upgrade() {
            router.withdraw_all(live);
        }
    }
}

/// What the client was told of the catalog.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    // std's Mutex: held for an assignment, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    catalog: Option<Arc<Catalog>>,
    /// The one that a client which has never listed it may be told the next change of.
    known: Option<Arc<Catalog>>,
    /// Whether the client opened a session, which is how notifications reach it.
    legacy: bool,
}

impl Announcements {
    /// The client has this catalog now.
    pub(crate) fn served(&self, catalog: &Arc<Catalog>) {
        let mut told = self.lock();
        told.catalog = Some(catalog.clone());
        told.known = Some(catalog.clone());
    }

    fn opened(&self) {
        self.lock().legacy = true;
    }

    pub(crate) fn is_legacy(&self) -> bool {
        self.lock().legacy
    }

    /// Whom to tell of this catalog: the session, when it has seen one, and that was another; and
    /// the listens, when this is not the first one at all.
    fn news(&self, catalog: &Arc<Catalog>) -> (bool, bool) {
        let mut told = self.lock();
        let is_other = |seen: &Option<Arc<Catalog>>| {
            let other = seen.as_ref().filter(|seen| !Arc::ptr_eq(seen, catalog));
            other.is_some_and(|seen| !seen.looks_like(catalog))
        };
        let news = (
            told.legacy && is_other(&told.catalog),
            is_other(&told.known),
        );
        if news.0 {
            told.catalog = Some(catalog.clone());
        }
        told.known = Some(catalog.clone());
        news
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Router {
    /// The client opened a session and can be sent notifications.
    pub fn session_opened(&self) {
        self.announcements.opened();
    }

    /// Tells the client of changes, until the catalog's updater ends.
    pub(crate) async fn announce(self: Arc<Self>) {
        let Ok(message) = Message::parse(TOOLS_CHANGED) else {
            return;
        };
        let mut view = self.view.clone();
        while view.changed().await.is_ok() {
            let catalog = {
                let view = view.borrow_and_update();
                // Before, nobody has seen any.
                view.initial_listing_done.then(|| view.catalog.clone())
            };
            let Some(catalog) = catalog else { continue };
            let (to_session, to_listens) = self.announcements.news(&catalog);
            if to_session {
                self.send(Line::whole(message.bytes().clone())).await;
            }
            if to_listens {
                self.tell(&News::Tools, &message, false).await;
            }
        }
    }

    /// Notifies the client, once, if it was sent other lists than these, which change together.
    async fn compare_items(&self, upstream: UpstreamId, lists: &[(ItemKind, ItemList)]) {
        let announced = &self.announced_items;
        let changed: Vec<_> = lists
            .iter()
            .filter(|(kind, list)| announced.take_if_changed(upstream, *kind, list))
            .collect();
        let Some((kind, _)) = changed.first() else {
            return;
        };
        let method = kind.change_notification();
        if let Ok(message) = Message::parse(Line::notification(method).into_bytes()) {
            debug!(method, "changed while it was away");
            self.hear(upstream, message).await;
        }
    }

    /// Passes on what an upstream says outside any request. A modern client hears such things
    /// only on a subscription (MCP 2026-07-28 § Subscriptions), but for the progress of its calls,
    /// which an HTTP+SSE upstream has no other place for.
    pub(crate) async fn hear(&self, upstream: UpstreamId, message: Message) {
        let is_legacy = self.announcements.is_legacy();
        if let Some(news) = News::read(upstream, &message) {
            return self.tell(&news, &message, is_legacy).await;
        }
        let method = message.method().into_owned();
        let is_progress = method == "notifications/progress";
        if self.hides(&message, upstream, Era::Legacy) {
            return debug!(%upstream, method, "of a task that the client does not know");
        }
        if !is_progress && !is_legacy {
            return debug!(%upstream, method, "not passed on");
        }
        let Some(permit) = self.outbox.reserve(message.bytes().len()).await else {
            return;
        };
        // Nothing awaits from here on: a call that ends takes its token away before its answer
        // is queued, so no progress can follow the answer.
        if is_progress {
            let Some(line) = self.heard_progress(&message) else {
                return debug!(%upstream, "dropping progress that nobody waits for");
            };
            return permit.send(Line::whole(line));
        }
        permit.send(Line::whole(message.bytes().clone()));
    }
}
