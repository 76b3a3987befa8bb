//! Finds the upstreams of prompts, resources and templates by their listings.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::catalog::{Items, UriRoute, route_uri};
use crate::protocol::{Item, ItemKind, ItemList};
use crate::router::context::Context;
use crate::router::context::item_cache::CachedItems;
use crate::upstream::{TransportError, Upstream, UpstreamError, UpstreamSet};

/// The deadline of an upstream's listing while a client waits for the merged one. A slow upstream must not delay the
/// listings of the others.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the upstream that owns a prompt name, URI or template, and the upstream's item.
pub(crate) async fn owner_of(ctx: &Context, kind: ItemKind, key: &str) -> Option<(Upstream, Item)> {
    let upstreams = ctx.gateway.upstreams.all();
    let has = |items: &Items| items.owner(key).is_some();
    let items = cached_or_new_items(ctx, kind, &upstreams, has).await;
    let owner = items.owner(key)?;
    Some((upstreams.get(owner.upstream)?.clone(), owner.item.clone()))
}

/// Returns the upstreams that may have this resource, in the order in which to try them.
pub(crate) async fn candidates_for(ctx: &Context, uri: &str) -> Vec<Upstream> {
    let candidates = candidates_for_all(ctx, &[uri]).await.pop();
    candidates.unwrap_or_default()
}

/// Returns, for each of these resources, the upstreams that may have it, in the order in which to try them.
pub(crate) async fn candidates_for_all(ctx: &Context, uris: &[&str]) -> Vec<Vec<Upstream>> {
    let (routes, upstreams) = uri_routes(ctx, uris).await;
    let at = |upstream: usize| upstreams.get(upstream).cloned();
    let candidates = |route| match route {
        UriRoute::Owner(upstream) => at(upstream).into_iter().collect(),
        UriRoute::Candidates(upstreams) => {
            let offering = |upstream: &Upstream| upstream.declares(ItemKind::Resources);
            let all = upstreams.into_iter().filter_map(at);
            all.filter(offering).collect()
        }
    };
    routes.into_iter().map(candidates).collect()
}

/// Returns the upstream that lists this template or resource, or has a template that matches the URI.
pub(crate) async fn owner_of_completion(ctx: &Context, uri: &str) -> Option<Upstream> {
    for kind in [ItemKind::ResourceTemplates, ItemKind::Resources] {
        if let Some((upstream, _)) = owner_of(ctx, kind, uri).await {
            return Some(upstream);
        }
    }
    let (mut routes, upstreams) = uri_routes(ctx, &[uri]).await;
    match routes.pop()? {
        UriRoute::Owner(upstream) => upstreams.get(upstream).cloned(),
        UriRoute::Candidates(_) => None,
    }
}

/// Returns the route of each of these URIs: the upstream that lists it, or those that may have it. Upstreams are
/// indexes into the returned set.
async fn uri_routes(ctx: &Context, uris: &[&str]) -> (Vec<UriRoute>, UpstreamSet) {
    let upstreams = ctx.gateway.upstreams.all();
    let configs = upstreams.iter().map(Upstream::config);
    let filters: Vec<_> = configs.map(|config| &config.resources).collect();
    let lists = |items: &Items| uris.iter().all(|uri| items.owner(uri).is_some());
    let resources = cached_or_new_items(ctx, ItemKind::Resources, &upstreams, lists).await;
    let find = |uri: &str, templates: &Items| match resources.owner(uri) {
        Some(owner) => UriRoute::Owner(owner.upstream),
        None => route_uri(uri, &filters, &resources, templates),
    };
    let finds = |templates: &Items| {
        let mut all = uris.iter().map(|uri| find(uri, templates));
        all.all(|route| matches!(route, UriRoute::Owner(_)))
    };
    // If all URIs are listed, no templates are needed.
    let templates = match lists(&resources) {
        true => resources.clone(),
        false => cached_or_new_items(ctx, ItemKind::ResourceTemplates, &upstreams, finds).await,
    };
    let routes = uris.iter().map(|uri| find(uri, &templates)).collect();
    drop(filters);
    (routes, upstreams)
}

/// Returns the cached listing of a kind if it is complete or `has` accepts it. Otherwise returns a new listing.
async fn cached_or_new_items(
    ctx: &Context,
    kind: ItemKind,
    upstreams: &UpstreamSet,
    has: impl Fn(&Items) -> bool,
) -> Arc<Items> {
    match ctx.gateway.items.get(kind, upstreams) {
        Some(cached) if cached.is_complete || has(&cached.items) => return cached.items,
        _ => {}
    }
    let was_live_listing_done = ctx.gateway.view.borrow().live_listing_done;
    let items = list_at_upstreams(ctx, kind, upstreams).await;
    if was_live_listing_done || has(&items) {
        return items;
    }
    // A live listing may have an item that the cached listing of an earlier process lacks.
    ctx.gateway.wait_for_live_listing().await;
    list_at_upstreams(ctx, kind, upstreams).await
}

/// Lists a kind at all upstreams, and caches the merged listing. An upstream that fails is left out and logged.
pub(crate) async fn list_at_upstreams(
    ctx: &Context,
    kind: ItemKind,
    upstreams: &UpstreamSet,
) -> Arc<Items> {
    ctx.gateway.wait_for_initial_listing().await;
    let changes = ctx.gateway.items.changes(kind);
    let all = upstreams.iter().map(|upstream| async move {
        let announced = &ctx.session.announced_items;
        if upstream.connection().is_none() {
            let cached = upstream.offers().last_items(kind);
            // Record an empty list, too, so that a later difference counts as a change.
            announced.record_sent(upstream.id(), kind, cached.clone().unwrap_or_default());
            return cached;
        }
        if !upstream.declares(kind) {
            return Some(ItemList::default());
        }
        let list =
            list_with_timeout(upstream, kind.list_method(), upstream.list_items(kind)).await?;
        announced.record_sent(upstream.id(), kind, list.clone());
        Some(list)
    });
    let all = join_all(all).await;
    let is_complete = all.iter().all(Option::is_some)
        && upstreams
            .iter()
            .all(|upstream| upstream.connection().is_some());
    let configs = upstreams.iter().map(Upstream::config);
    let items = configs.zip(all).collect();
    let items = Items::merge(kind, items, ctx.gateway.limits.tool_name_length);
    debug!(kind = kind.result_member(), count = items.len(), "listed");
    let items = Arc::new(items);
    let cached = CachedItems {
        items: items.clone(),
        upstreams: upstreams.clone(),
        is_complete,
    };
    // Do not cache a replaced set of upstreams: the cache would keep them alive.
    if Arc::ptr_eq(upstreams, &ctx.gateway.upstreams.all()) {
        ctx.gateway.items.store(kind, cached, changes);
    }
    items
}

/// Waits for an upstream's listing by this method, up to [`LIST_TIMEOUT`]. Logs a failure and returns `None`.
pub(crate) async fn list_with_timeout<T>(
    upstream: &Upstream,
    method: &str,
    listing: impl Future<Output = Result<T, UpstreamError>>,
) -> Option<T> {
    let timed_out = |_| upstream.error(method, TransportError::OwnRequestTimeout(LIST_TIMEOUT));
    let listed = timeout(LIST_TIMEOUT, listing).await.map_err(timed_out);
    listed
        .and_then(|listed| listed)
        .inspect_err(|error| warn!(error = %error, "leaving out a listing"))
        .ok()
}
