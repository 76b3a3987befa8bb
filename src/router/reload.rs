//! Another set of upstreams in the place of the present one, while calls are under way.
//!
//! Those that are new are connected first, while the old ones go on serving; then all change at once.
//! Whoever uses one that is not among them any more keeps it until done, and then its connection ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{debug, info};

use super::Router;
use super::forward::notify::News;
use crate::catalog::wait_for_listings_of;
use crate::config;
use crate::protocol::ItemKind;
use crate::protocol::LogLevel;
use crate::upstream::{Connection, Upstream, UpstreamSet};
use crate::wire::{Line, Message};

/// How often an upstream that is no longer configured is looked at, whether anybody uses it.
const LOOK: Duration = Duration::from_millis(250);

/// The kinds whose listings are announced apart from that of the tools.
const ANNOUNCED: [ItemKind; 2] = [ItemKind::Prompts, ItemKind::Resources];

impl Router {
    /// Has these upstreams serve from now on. Returns when they do.
    pub async fn replace(self: &Arc<Self>, upstreams: Vec<Upstream>) {
        let old = self.upstreams.all();
        let fresh = missing(&upstreams, &old);
        let level = self.client.level();
        if self.begun.load(Ordering::Relaxed) {
            let identity = self.client.latest();
            for upstream in &fresh {
                upstream.set_level(level);
                self.start(upstream, &identity);
            }
            wait_for_listings_of(&fresh, self.limits.startup_wait).await;
            self.catch_up(&fresh, level);
        }
        self.upstreams.replace(upstreams);
        let now = self.upstreams.all();
        if self.begun.load(Ordering::Relaxed) {
            // So that no call finds a tool at one that ends now.
            let mut view = self.view.clone();
            let _ = view
                .wait_for(|view| Arc::ptr_eq(&view.upstreams, &now))
                .await;
        }
        self.listed.forget(&ItemKind::ALL);
        for kind in ANNOUNCED {
            if may_differ(&old, &now, kind) {
                self.tell_changed(kind).await;
            }
        }
        for upstream in fresh.iter().filter(|fresh| fresh.ready().is_none()) {
            let (router, connected) = (self.clone(), upstream.at_last());
            self.spawn(async move {
                if let Some(live) = connected.await {
                    router.tell_of(&live).await;
                }
            });
        }
        self.part_with(missing(&old, &now), &now);
        // Whoever has changed the file may have mended what kept them away.
        let kept = now
            .iter()
            .filter(|it| !fresh.iter().any(|fresh| fresh.id() == it.id()));
        kept.filter(|kept| kept.ready().is_none())
            .for_each(Upstream::try_anew);
    }

    /// Tells these what the client has said to all upstreams since they were begun, at this level.
    fn catch_up(&self, fresh: &[Upstream], level: Option<LogLevel>) {
        for upstream in fresh {
            if let Some(session) = self.client.has_session() {
                upstream.adopt(&session);
            }
            if self.client.level() != level {
                upstream.set_level(self.client.level());
            }
        }
    }

    /// Ends these once nobody uses them.
    fn part_with(self: &Arc<Self>, gone: Vec<Upstream>, now: &UpstreamSet) {
        let names: HashSet<_> = now.iter().map(|it| it.config().name.clone()).collect();
        // A call may go on at an upstream that is configured anew.
        let is_gone = |upstream: &Upstream| !names.contains(&upstream.config().name);
        for parked in self.parking.evict(is_gone) {
            self.spawn(parked.give_up(self.clone()));
        }
        let router = self.clone();
        self.spawn(async move { router.move_session().await });
        for upstream in gone {
            let router = self.clone();
            self.spawn(async move {
                while upstream.is_in_use() {
                    sleep(LOOK).await;
                    // A subscription may have been made meanwhile.
                    router.move_session().await;
                }
                debug!(upstream = %upstream.config().name, "nobody uses it any more");
                upstream.end();
                router.announced_items.remove(upstream.id());
            });
        }
    }

    /// Has it go on beside everything else, until the end.
    fn spawn(&self, doing: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            cancel.run_until_cancelled(doing).await;
        });
    }

    async fn tell_of(&self, live: &Connection) {
        for kind in ANNOUNCED {
            if live.profile.offers(kind) {
                self.tell_changed(kind).await;
            }
        }
    }

    /// Tells the client that a listing may have changed.
    async fn tell_changed(&self, kind: ItemKind) {
        let news = match kind {
            ItemKind::Prompts => News::Prompts,
            _ => News::Resources,
        };
        let method = kind.change_notification();
        let line = Line::notification(method).into_bytes();
        if let Ok(message) = Message::parse(line) {
            info!(method, "telling the client");
            let is_legacy = self.announcements.is_legacy();
            self.tell(&news, &message, is_legacy).await;
        }
    }
}

/// Those of `some` that are not among `others`.
fn missing(some: &[Upstream], others: &[Upstream]) -> Vec<Upstream> {
    let ids: HashSet<_> = others.iter().map(Upstream::id).collect();
    let missing = some.iter().filter(|some| !ids.contains(&some.id()));
    missing.cloned().collect()
}

/// Whether the client may see another listing of this kind now: other upstreams offer some, or in
/// another order, or another part of it is shown.
fn may_differ(old: &[Upstream], now: &[Upstream], kind: ItemKind) -> bool {
    let offering = |all: &[Upstream]| {
        let all = all.iter().filter(|it| it.serves(kind)).cloned();
        all.collect::<Vec<_>>()
    };
    let (old, now) = (offering(old), offering(now));
    let is_same = |(old, now): (&Upstream, &Upstream)| {
        old.id() == now.id() && shows_same(old.config(), now.config(), kind)
    };
    old.len() != now.len() || !old.iter().zip(&now).all(is_same)
}

fn shows_same(old: &config::Upstream, now: &config::Upstream, kind: ItemKind) -> bool {
    match kind {
        ItemKind::Prompts => old.prompts == now.prompts && old.prefix == now.prefix,
        ItemKind::Resources | ItemKind::ResourceTemplates => old.resources == now.resources,
    }
}
