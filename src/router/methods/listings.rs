//! Listings: of tools out of the catalog, of everything else out of what the upstreams say now, or said
//! last where they are away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::catalog::{Items, UriRoute, route_uri, wait_for_initial_listing, wait_for_live_listing};
use crate::protocol::{Era, Item, ItemKind, ItemList};
use crate::router::Router;
use crate::upstream::{TransportError, Upstream, UpstreamError, UpstreamSet};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// How long an upstream may take for a listing that a client waits for: its prompts and
/// resources are worth less than the others' at once.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// What was listed last of each kind, by which requests are routed.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    // std's Mutex: held for an assignment, never across an await.
    kinds: Mutex<[Kept; 3]>,
}

#[derive(Debug, Default)]
struct Kept {
    last: Option<Last>,
    /// Counts the changes that upstreams have announced.
    changes: u64,
}

/// The items of one kind.
#[derive(Debug, Clone)]
struct Last {
    items: Arc<Items>,
    /// The upstreams that were asked: an owner is one of these.
    upstreams: UpstreamSet,
    /// Whether every one of them is in it.
    is_whole: bool,
}

impl Listed {
    /// What these upstreams have said.
    fn get(&self, kind: ItemKind, upstreams: &UpstreamSet) -> Option<Last> {
        let last = self.lock()[kind as usize].last.clone();
        last.filter(|last| Arc::ptr_eq(&last.upstreams, upstreams))
    }

    /// Has the next request list these kinds anew.
    pub(crate) fn forget(&self, kinds: &[ItemKind]) {
        let mut all = self.lock();
        for kind in kinds {
            let kept = &mut all[*kind as usize];
            kept.last = None;
            kept.changes += 1;
        }
    }

    fn changes(&self, kind: ItemKind) -> u64 {
        self.lock()[kind as usize].changes
    }

    /// Keeps a listing, unless something has changed since it was begun, at `changes`.
    fn set(&self, kind: ItemKind, last: Last, changes: u64) {
        let kept = &mut self.lock()[kind as usize];
        if kept.changes == changes {
            kept.last = Some(last);
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Kept; 3]> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Router {
    /// Answers `tools/list`. The first one waits, within bounds, for the upstreams.
    pub(crate) async fn list_tools(self: &Arc<Self>, request: Message, client: Era) {
        if self.refuse_cursor(&request).await {
            return;
        }
        if self.view.borrow().initial_listing_done
            && let Some(id) = request.id()
        {
            return self.send(Line::result(&id, self.tools(client))).await;
        }
        self.relay(
            request,
            client,
            "tools".to_owned(),
            move |router, request| async move {
                router.heard().await;
                Line::result(&request.id, router.tools(client))
            },
        )
        .await;
    }

    /// Answers the listing of another kind, by asking every upstream that has it.
    pub(crate) async fn list_items(
        self: &Arc<Self>,
        request: Message,
        kind: ItemKind,
        client: Era,
    ) {
        if self.refuse_cursor(&request).await {
            return;
        }
        self.relay(
            request,
            client,
            kind.member().to_owned(),
            move |router, request| async move {
                let items = router.read_items(kind, &router.upstreams.all()).await;
                Line::result(
                    &request.id,
                    list_result(kind.member(), &items.definitions(), client),
                )
            },
        )
        .await;
    }

    /// All pages are given at once, so there is no cursor that could be known.
    pub(crate) async fn refuse_cursor(&self, request: &Message) -> bool {
        let cursor = request.param("cursor");
        if cursor.is_none_or(|cursor| cursor.value() == b"null") {
            return false;
        }
        let text = "unknown cursor; listings have one page";
        self.refuse(request, code::INVALID_PARAMS, text).await;
        true
    }

    /// Waits, within bounds, until every upstream was heard.
    pub(crate) async fn heard(&self) {
        wait_for_initial_listing(&self.view).await;
    }

    /// The same where what is remembered counts for nothing.
    pub(crate) async fn heard_afresh(&self) {
        wait_for_live_listing(&self.view).await;
    }

    fn tools(&self, client: Era) -> Bytes {
        let catalog = self.view.borrow().catalog.clone();
        debug!(tools = catalog.len(), "listed");
        self.announcements.served(&catalog);
        list_result("tools", &catalog.tools(client), client)
    }

    /// Who answers for a prompt's name, a URI or a template, and its own item.
    pub(crate) async fn owner(&self, kind: ItemKind, key: &str) -> Option<(Upstream, Item)> {
        let upstreams = self.upstreams.all();
        let items = self.items_with(kind, &upstreams, |items| items.owner(key).is_some());
        let items = items.await;
        let owner = items.owner(key)?;
        Some((upstreams.get(owner.upstream)?.clone(), owner.item.clone()))
    }

    /// Who is to be asked for each of these URIs: who lists it, or who else may have it; each by its
    /// place in the snapshot that comes with it.
    pub(crate) async fn reach(&self, uris: &[&str]) -> (Vec<UriRoute>, UpstreamSet) {
        let upstreams = self.upstreams.all();
        let configs = upstreams.iter().map(Upstream::config);
        let filters: Vec<_> = configs.map(|config| &config.resources).collect();
        let lists = |items: &Items| uris.iter().all(|uri| items.owner(uri).is_some());
        let resources = self
            .items_with(ItemKind::Resources, &upstreams, lists)
            .await;
        let find = |uri: &str, templates: &Items| match resources.owner(uri) {
            Some(owner) => UriRoute::Owner(owner.upstream),
            None => route_uri(uri, &filters, &resources, templates),
        };
        let finds = |templates: &Items| {
            let mut all = uris.iter().map(|uri| find(uri, templates));
            all.all(|reach| matches!(reach, UriRoute::Owner(_)))
        };
        // All are listed: the templates need not be read.
        let templates = match lists(&resources) {
            true => resources.clone(),
            false => {
                let kind = ItemKind::ResourceTemplates;
                self.items_with(kind, &upstreams, finds).await
            }
        };
        let reaches = uris.iter().map(|uri| find(uri, &templates)).collect();
        drop(filters);
        (reaches, upstreams)
    }

    /// The last listing of a kind, or a new one when that lacks what `has` looks for and some
    /// upstream was not in it.
    async fn items_with(
        &self,
        kind: ItemKind,
        upstreams: &UpstreamSet,
        has: impl Fn(&Items) -> bool,
    ) -> Arc<Items> {
        match self.listed.get(kind, upstreams) {
            Some(last) if last.is_whole || has(&last.items) => return last.items,
            _ => {}
        }
        let was_live = self.view.borrow().live_listing_done;
        let items = self.read_items(kind, upstreams).await;
        if was_live || has(&items) {
            return items;
        }
        // Of those that are remembered one may have it since.
        self.heard_afresh().await;
        self.read_items(kind, upstreams).await
    }

    /// Lists a kind anew. An upstream that fails is left out, and the log says why.
    async fn read_items(&self, kind: ItemKind, upstreams: &UpstreamSet) -> Arc<Items> {
        self.heard().await;
        let changes = self.listed.changes(kind);
        let all = upstreams.iter().map(|upstream| async move {
            if upstream.ready().is_none() {
                let last = upstream.offers().last_items(kind);
                // Without is something, too, that may turn out to be different.
                let sent = last.clone().unwrap_or_default();
                self.announced_items.record_sent(upstream.id(), kind, sent);
                return last;
            }
            if !upstream.serves(kind) {
                return Some(ItemList::default());
            }
            let list = in_time(upstream, kind.list_method(), upstream.items(kind)).await?;
            self.announced_items
                .record_sent(upstream.id(), kind, list.clone());
            Some(list)
        });
        let all = join_all(all).await;
        let is_whole = all.iter().all(Option::is_some)
            && upstreams.iter().all(|upstream| upstream.ready().is_some());
        let configs = upstreams.iter().map(Upstream::config);
        let items = configs.zip(all).collect();
        let items = Items::merge(kind, items, self.limits.tool_name_length);
        debug!(kind = kind.member(), count = items.len(), "listed");
        let items = Arc::new(items);
        let last = Last {
            items: items.clone(),
            upstreams: upstreams.clone(),
            is_whole,
        };
        // Others may serve by now, and who holds these keeps them from ending.
        if Arc::ptr_eq(upstreams, &self.upstreams.all()) {
            self.listed.set(kind, last, changes);
        }
        items
    }
}

/// What an upstream lists, by this method. One that fails or is late is left out, and the log says why.
pub(crate) async fn in_time<T>(
    upstream: &Upstream,
    method: &str,
    listing: impl Future<Output = Result<T, UpstreamError>>,
) -> Option<T> {
    let late = |_| upstream.error(method, TransportError::Timeout(LIST_TIMEOUT));
    let listed = timeout(LIST_TIMEOUT, listing).await.map_err(late);
    listed
        .and_then(|listed| listed)
        .inspect_err(|error| warn!(error = %error, "leaving out a listing"))
        .ok()
}

/// The result of a listing. What a modern client may keep of it is nothing: it changes
/// whenever an upstream's does (MCP 2026-07-28 § Caching).
fn list_result(member: &str, definitions: &[u8], client: Era) -> Bytes {
    let hints = match client {
        Era::Legacy => "",
        Era::Modern => r#""resultType":"complete","ttlMs":0,"cacheScope":"private","#,
    };
    let head = format!("{{{hints}\"{member}\":");
    [head.as_bytes(), definitions, b"}"].concat().into()
}
