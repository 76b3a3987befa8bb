//! What reaches the client without its asking: notifications of upstreams, and our own
//! that the list of tools has changed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::future::BoxFuture;
use tracing::debug;

use super::Router;
use crate::catalog::Catalog;
use crate::upstream::{Events, Kind, Live};
use crate::wire::{Line, Message};

/// Passes the notifications of the upstreams on.
#[derive(Debug)]
pub(super) struct Relay {
    /// Weak: the router owns the upstreams, whose tasks own this.
    router: Weak<Router>,
}

impl Relay {
    pub(super) fn new(router: &Arc<Router>) -> Self {
        Self {
            router: Arc::downgrade(router),
        }
    }
}

impl Events for Relay {
    fn notification(
        &self,
        upstream: usize,
        live: Arc<Live>,
        message: Message,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(router) = self.router.upgrade() else {
                return;
            };
            match message.method() == "notifications/cancelled" {
                true => router.withdraw(&live, &message).await,
                false => router.hear(upstream, message).await,
            }
        })
    }

    fn request(&self, live: Arc<Live>, request: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(router) = self.router.upgrade() {
                router.be_asked(&live, request).await;
            }
        })
    }

    fn ended(&self, live: &Arc<Live>) {
        if let Some(router) = self.router.upgrade() {
            router.withdraw_all(live);
        }
    }
}

/// What the client was told of the catalog.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    // std's Mutex: held for an assignment, never across an await.
    state: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    catalog: Option<Arc<Catalog>>,
    /// Whether the client opened a session, which is how notifications reach it.
    legacy: bool,
}

impl Announcements {
    /// The client has this catalog now.
    pub(super) fn served(&self, catalog: &Arc<Catalog>) {
        self.lock().catalog = Some(catalog.clone());
    }

    fn opened(&self) {
        self.lock().legacy = true;
    }

    pub(super) fn is_legacy(&self) -> bool {
        self.lock().legacy
    }

    /// Whether to tell the client of this catalog: it has seen one, and that was another.
    fn is_news(&self, catalog: &Arc<Catalog>) -> bool {
        let mut told = self.lock();
        let news = told.legacy
            && told
                .catalog
                .as_ref()
                .is_some_and(|seen| !Arc::ptr_eq(seen, catalog));
        if news {
            told.catalog = Some(catalog.clone());
        }
        news
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Router {
    /// The client opened a session and can be sent notifications.
    pub fn session_opened(&self) {
        self.announcements.opened();
    }

    /// Tells the client of changes, until the catalog's keeper ends.
    pub(super) async fn announce(self: Arc<Self>) {
        let mut view = self.view.clone();
        while view.changed().await.is_ok() {
            let catalog = view.borrow_and_update().catalog.clone();
            if self.announcements.is_news(&catalog) {
                self.send(Line::notification("notifications/tools/list_changed"))
                    .await;
            }
        }
    }

    /// Passes on what an upstream says outside any request. A modern client hears such things
    /// only on a subscription (MCP 2026-07-28 § Subscriptions), but for the progress of its calls,
    /// which an HTTP+SSE upstream has no other place for.
    async fn hear(&self, upstream: usize, message: Message) {
        let method = message.method().into_owned();
        let changed = Kind::changed_by(&method);
        self.listed.forget(changed.unwrap_or_default());
        let is_progress = method == "notifications/progress";
        if !is_progress && (!self.announcements.is_legacy() || is_undeclared(&method)) {
            return debug!(upstream, method, "not passed on");
        }
        let Ok(permit) = self.outbox.reserve().await else {
            return;
        };
        // Nothing awaits from here on: a call that ends takes its token away before its answer
        // is queued, so no progress can follow the answer.
        if is_progress {
            let Some(line) = self.heard_progress(&message) else {
                return debug!(upstream, "dropping progress that nobody waits for");
            };
            return permit.send(Line::whole(line));
        }
        permit.send(match changed {
            // A modern upstream's carries the id of our subscription.
            Some(_) => Line::notification(&method),
            None => Line::whole(message.bytes().clone()),
        });
    }
}

/// Notifications of what we do not declare to the client.
fn is_undeclared(method: &str) -> bool {
    method == "notifications/resources/updated"
}
