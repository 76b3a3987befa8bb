//! Replaces the set of upstreams while calls are in flight.
//!
//! New upstreams are connected first, while the old ones go on serving. Then all change at once. Calls and
//! subscriptions keep an upstream that is removed until they end, and then its connection ends.

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
use super::forward::suspended_keeper::abandon_entry;
use super::methods::resource_subscriptions::move_resource_subscriptions;
use super::sessions::{Delivery, Sessions};
use crate::catalog::wait_for_listings;
use crate::config;
use crate::protocol::{ItemKind, LogLevel};
use crate::upstream::{Upstream, UpstreamSet};
use crate::wire::{Line, Message};

/// The interval between checks for uses of an upstream that is no longer configured.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The kinds whose list changes are announced here. `tool_changes` announces those of tools.
const ANNOUNCED_KINDS: [ItemKind; 2] = [ItemKind::Prompts, ItemKind::Resources];

/// Replaces all upstreams. Returns when requests are routed to the new ones.
pub(crate) async fn replace_upstreams(
    gateway: &Arc<Gateway>,
    sessions: &Arc<Sessions>,
    upstreams: Vec<Upstream>,
) {
    let old = gateway.upstreams.all();
    let added = difference(&upstreams, &old);
    if gateway.has_started() {
        start_new(gateway, sessions, &added).await;
    }
    gateway.upstreams.replace(upstreams);
    let current = gateway.upstreams.all();
    if gateway.has_started() {
        // Wait for the new catalog, so that no call is routed to a removed upstream.
        let mut view = gateway.view.clone();
        let _ = view
            .wait_for(|view| Arc::ptr_eq(&view.upstreams, &current))
            .await;
    }
    gateway.items.invalidate(&ItemKind::ALL);
    for kind in ANNOUNCED_KINDS {
        if listing_may_differ(&old, &current, kind) {
            announce_change(gateway, sessions, kind).await;
        }
    }
    for upstream in added.iter().filter(|added| added.connection().is_none()) {
        announce_after_connect(gateway, sessions, upstream);
    }
    retire(gateway, sessions, difference(&old, &current), &current);
    // The configuration file change may have fixed the disconnected upstreams.
    let kept = current
        .iter()
        .filter(|it| !added.iter().any(|added| added.id() == it.id()));
    kept.filter(|kept| kept.connection().is_none())
        .for_each(|kept| kept.pool().reset_budget());
}

/// Connects to new upstreams, and waits up to `startup_wait` for their listings.
async fn start_new(gateway: &Arc<Gateway>, sessions: &Sessions, added: &[Upstream]) {
    let clients = sessions.all();
    let levels: Vec<_> = clients
        .iter()
        .map(|it| (it.session.id, it.session.profiles.level()))
        .collect();
    let first = clients.first();
    let profile = first.map(|first| first.session.profiles.latest());
    let profile = profile.unwrap_or_default();
    for upstream in added {
        for (client, level) in &levels {
            upstream.set_level(*client, *level);
        }
        gateway.start_upstream(upstream, &profile);
    }
    wait_for_listings(added, gateway.limits.startup_wait).await;
    for (client, (_, level)) in clients.iter().zip(levels) {
        apply_client_state(&client.session, added, level);
    }
}

/// Applies to new upstreams the profile and log level that a client has set since they were started with
/// `level`. They serve the profile of the first client; calls of other clients open extra sessions.
fn apply_client_state(client: &ClientSession, added: &[Upstream], level: Option<LogLevel>) {
    let profile = client.profiles.session();
    for upstream in added {
        if let Some(profile) = &profile {
            upstream.set_client_profile(client.id, profile);
        }
        if client.profiles.level() != level {
            upstream.set_level(client.id, client.profiles.level());
        }
    }
}

/// Ends these upstreams as soon as they have no uses.
fn retire(
    gateway: &Arc<Gateway>,
    sessions: &Arc<Sessions>,
    removed: Vec<Upstream>,
    current: &UpstreamSet,
) {
    let names: HashSet<_> = current.iter().map(|it| it.config().name.clone()).collect();
    // A suspended call goes on if its upstream is still configured, even with another configuration.
    let is_gone = |upstream: &Upstream| !names.contains(&upstream.config().name);
    for client in sessions.all().iter() {
        let ctx = client.context(gateway);
        for entry in ctx.session.suspended_calls.remove_for(is_gone) {
            gateway.spawn(abandon_entry(ctx.clone(), entry));
        }
        gateway.spawn(async move { move_resource_subscriptions(&ctx).await });
    }
    for upstream in removed {
        let (own_gateway, sessions) = (gateway.clone(), sessions.clone());
        gateway.spawn(async move {
            let (id, name) = (upstream.id(), upstream.config().name.clone());
            let mut retired = std::pin::pin!(upstream.retire());
            while timeout(CHECK_INTERVAL, &mut retired).await.is_err() {
                // A client may have subscribed since the last check.
                for client in sessions.all().iter() {
                    move_resource_subscriptions(&client.context(&own_gateway)).await;
                }
            }
            debug!(upstream = %name, "closed a removed upstream");
            for client in sessions.all().iter() {
                client.session.announced_items.remove(id);
            }
        });
    }
}

/// Announces the listings of a new upstream after it connects.
fn announce_after_connect(gateway: &Arc<Gateway>, sessions: &Arc<Sessions>, upstream: &Upstream) {
    let (own_gateway, sessions) = (gateway.clone(), sessions.clone());
    let connected = upstream.when_connected();
    gateway.spawn(async move {
        let Some(connection) = connected.await else {
            return;
        };
        for kind in ANNOUNCED_KINDS {
            if connection.server_profile.has_items(kind) {
                announce_change(&own_gateway, &sessions, kind).await;
            }
        }
    });
}

/// Notifies all clients that a listing may have changed.
async fn announce_change(gateway: &Arc<Gateway>, sessions: &Sessions, kind: ItemKind) {
    let change = match kind {
        ItemKind::Prompts => Change::Prompts,
        _ => Change::Resources,
    };
    let method = kind.change_notification();
    let line = Line::notification(method).into_bytes();
    let Ok(message) = Message::parse(line) else {
        return;
    };
    info!(method, "notifying the clients");
    gateway
        .items
        .invalidate(ItemKind::from_change_notification(method).unwrap_or_default());
    let notify = |ctx: Context| -> Delivery {
        let (change, message) = (change.clone(), message.clone());
        Box::pin(async move {
            let is_initialized = ctx.session.is_initialized();
            notify_subscribers(&ctx.session, &change, &message, is_initialized).await;
        })
    };
    sessions.deliver_to_all(gateway, notify).await;
}

/// Returns the upstreams of `some` that are not in `others`.
fn difference(some: &[Upstream], others: &[Upstream]) -> Vec<Upstream> {
    let ids: HashSet<_> = others.iter().map(Upstream::id).collect();
    let missing = some.iter().filter(|some| !ids.contains(&some.id()));
    missing.cloned().collect()
}

/// Whether a client may now receive another listing of this kind. Then the upstreams that offer it, their
/// order or their filters have changed.
fn listing_may_differ(old: &[Upstream], current: &[Upstream], kind: ItemKind) -> bool {
    let offering = |all: &[Upstream]| {
        let all = all.iter().filter(|it| it.declares(kind)).cloned();
        all.collect::<Vec<_>>()
    };
    let (old, current) = (offering(old), offering(current));
    let is_same = |(old, current): (&Upstream, &Upstream)| {
        old.id() == current.id() && shows_same_items(old.config(), current.config(), kind)
    };
    old.len() != current.len() || !old.iter().zip(&current).all(is_same)
}

fn shows_same_items(old: &config::Upstream, current: &config::Upstream, kind: ItemKind) -> bool {
    match kind {
        ItemKind::Prompts => old.prompts == current.prompts && old.prefix == current.prefix,
        ItemKind::Resources | ItemKind::ResourceTemplates => old.resources == current.resources,
    }
}
