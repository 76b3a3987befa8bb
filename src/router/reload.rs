//! Replaces the set of upstreams while calls are under way.
//!
//! New upstreams are connected first, while the old ones go on serving; then all change at once. Calls and
//! subscriptions keep an upstream that is gone until they end, and then its connection ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info};

use super::call::change::Change;
use super::client::ClientSession;
use super::context::Context;
use super::context::gateway::Gateway;
use super::forward::notify::notify_subscribers;
use super::forward::suspended_guard::abandon_entry;
use super::methods::resource_subscriptions::move_session;
use super::sessions::{Delivery, Sessions};
use crate::catalog::wait_for_listings;
use crate::config;
use crate::protocol::{ItemKind, LogLevel};
use crate::upstream::{Upstream, UpstreamSet};
use crate::wire::{Line, Message};

/// How often an upstream that is no longer configured is checked for uses.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The kinds whose listings are announced apart from that of the tools.
const ANNOUNCED: [ItemKind; 2] = [ItemKind::Prompts, ItemKind::Resources];

/// Replaces all upstreams. Returns when the new ones serve.
pub(crate) async fn replace(
    gateway: &Arc<Gateway>,
    sessions: &Arc<Sessions>,
    upstreams: Vec<Upstream>,
) {
    let old = gateway.upstreams.all();
    let fresh = difference(&upstreams, &old);
    if gateway.has_started() {
        start(gateway, sessions, &fresh).await;
    }
    gateway.upstreams.replace(upstreams);
    let now = gateway.upstreams.all();
    if gateway.has_started() {
        // So that no call finds a tool at one that ends now.
        let mut view = gateway.view.clone();
        let _ = view
            .wait_for(|view| Arc::ptr_eq(&view.upstreams, &now))
            .await;
    }
    gateway.items.forget(&ItemKind::ALL);
    for kind in ANNOUNCED {
        if listing_may_differ(&old, &now, kind) {
            announce(gateway, sessions, kind).await;
        }
    }
    for upstream in fresh.iter().filter(|fresh| fresh.connection().is_none()) {
        announce_when_connected(gateway, sessions, upstream);
    }
    retire(gateway, sessions, difference(&old, &now), &now);
    // The change of the file may have mended what kept them away.
    let kept = now
        .iter()
        .filter(|it| !fresh.iter().any(|fresh| fresh.id() == it.id()));
    kept.filter(|kept| kept.connection().is_none())
        .for_each(|kept| kept.pool().reset_budget());
}

/// Connects to new upstreams, and waits a while for their listings.
async fn start(gateway: &Arc<Gateway>, sessions: &Sessions, fresh: &[Upstream]) {
    let clients = sessions.all();
    let levels: Vec<_> = clients
        .iter()
        .map(|it| (it.session.id, it.session.profiles.level()))
        .collect();
    let first = clients.first();
    let profile = first.map(|first| first.session.profiles.latest());
    let profile = profile.unwrap_or_default();
    for upstream in fresh {
        for (client, level) in &levels {
            upstream.set_level(*client, *level);
        }
        gateway.start(upstream, &profile);
    }
    wait_for_listings(fresh, gateway.limits.startup_wait).await;
    for (client, (_, level)) in clients.iter().zip(levels) {
        apply_client_state(&client.session, fresh, level);
    }
}

/// Applies to new upstreams what a client has declared since they were started, at this level. They serve the
/// profile of the first client; the calls of others open sessions of their own.
fn apply_client_state(client: &ClientSession, fresh: &[Upstream], level: Option<LogLevel>) {
    let profile = client.profiles.session();
    for upstream in fresh {
        if let Some(profile) = &profile {
            upstream.set_client_profile(client.id, profile);
        }
        if client.profiles.level() != level {
            upstream.set_level(client.id, client.profiles.level());
        }
    }
}

/// Ends these upstreams once they are no longer used.
fn retire(
    gateway: &Arc<Gateway>,
    sessions: &Arc<Sessions>,
    gone: Vec<Upstream>,
    now: &UpstreamSet,
) {
    let names: HashSet<_> = now.iter().map(|it| it.config().name.clone()).collect();
    // A call may go on at an upstream that is configured anew.
    let is_gone = |upstream: &Upstream| !names.contains(&upstream.config().name);
    for client in sessions.all().iter() {
        let ctx = client.context(gateway);
        for entry in ctx.session.suspended_calls.remove_for(is_gone) {
            gateway.spawn(abandon_entry(ctx.clone(), entry));
        }
        gateway.spawn(async move { move_session(&ctx).await });
    }
    for upstream in gone {
        let (own, sessions) = (gateway.clone(), sessions.clone());
        gateway.spawn(async move {
            let (id, name) = (upstream.id(), upstream.config().name.clone());
            let mut retired = std::pin::pin!(upstream.retire());
            while timeout(CHECK_INTERVAL, &mut retired).await.is_err() {
                // A subscription may have been made meanwhile.
                for client in sessions.all().iter() {
                    move_session(&client.context(&own)).await;
                }
            }
            debug!(upstream = %name, "nobody uses it any more");
            for client in sessions.all().iter() {
                client.session.announced_items.remove(id);
            }
        });
    }
}

/// Announces the listings of a new upstream when it is connected.
fn announce_when_connected(gateway: &Arc<Gateway>, sessions: &Arc<Sessions>, upstream: &Upstream) {
    let (own, sessions) = (gateway.clone(), sessions.clone());
    let connected = upstream.when_connected();
    gateway.spawn(async move {
        let Some(connection) = connected.await else {
            return;
        };
        for kind in ANNOUNCED {
            if connection.profile.has_items(kind) {
                announce(&own, &sessions, kind).await;
            }
        }
    });
}

/// Notifies the clients that a listing may have changed.
async fn announce(gateway: &Arc<Gateway>, sessions: &Sessions, kind: ItemKind) {
    let change = match kind {
        ItemKind::Prompts => Change::Prompts,
        _ => Change::Resources,
    };
    let method = kind.change_notification();
    let line = Line::notification(method).into_bytes();
    let Ok(message) = Message::parse(line) else {
        return;
    };
    info!(method, "telling the client");
    gateway
        .items
        .forget(ItemKind::from_change_notification(method).unwrap_or_default());
    let notify = |ctx: Context| -> Delivery {
        let (change, message) = (change.clone(), message.clone());
        Box::pin(async move {
            let is_initialized = ctx.session.is_initialized();
            notify_subscribers(&ctx.session, &change, &message, is_initialized).await;
        })
    };
    sessions.deliver_to_all(gateway, notify).await;
}

/// Returns those of `some` that are not among `others`.
fn difference(some: &[Upstream], others: &[Upstream]) -> Vec<Upstream> {
    let ids: HashSet<_> = others.iter().map(Upstream::id).collect();
    let missing = some.iter().filter(|some| !ids.contains(&some.id()));
    missing.cloned().collect()
}

/// Whether a client may get another listing of this kind now: other upstreams offer some, or in
/// another order, or another part of it is shown.
fn listing_may_differ(old: &[Upstream], now: &[Upstream], kind: ItemKind) -> bool {
    let offering = |all: &[Upstream]| {
        let all = all.iter().filter(|it| it.declares(kind)).cloned();
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
