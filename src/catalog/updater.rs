//! The task that updates the catalog when an upstream's listing changes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::merge::{Catalog, MergeInput};
use super::view::CatalogView;
use crate::config::Limits;
use crate::upstream::{Registry, Upstream};

/// How long the first listing waits for an upstream that has not sent a byte. With the time that
/// starting takes, this is 1.5 s.
const SILENT_WAIT: Duration = Duration::from_millis(1450);

/// The task that merges the listings again whenever one changes.
#[derive(Debug)]
pub struct CatalogUpdater {
    /// The upstreams whose listings are merged.
    pub upstreams: Registry,
    /// Notified by each upstream about a change.
    pub changed: Arc<Notify>,
    /// The waiting times, and the maximum length of a name.
    pub limits: Limits,
}

impl CatalogUpdater {
    /// Runs until `cancel`. The wait of the first listing starts now.
    pub async fn run(self, view: watch::Sender<CatalogView>, cancel: CancellationToken) {
        let started = Instant::now();
        let deadlines = [
            started + SILENT_WAIT.min(self.limits.startup_wait),
            started + self.limits.startup_wait,
        ];
        let mut upstream_changes = self.upstreams.watch();
        loop {
            self.refresh(&view, started.elapsed());
            let is_done = view.borrow().live_listing_done;
            let next_deadline = deadlines
                .into_iter()
                .find(|deadline| !is_done && *deadline > Instant::now());
            let deadline = async {
                match next_deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.changed.notified() => {}
                // Never fails: `self` holds the sender too.
                _ = upstream_changes.changed() => {}
                () = deadline => {}
            }
        }
    }

    fn refresh(&self, view: &watch::Sender<CatalogView>, waited: Duration) {
        let upstreams = self.upstreams.all();
        let all = |is_there: fn(&Upstream) -> bool| {
            let mut upstreams = upstreams.iter();
            upstreams.all(|it| is_there(it) || self.has_timed_out(it, waited))
        };
        let initial = all(Upstream::has_listing_or_failed);
        let live = all(Upstream::has_live_listing_or_failed);
        let inputs: Vec<_> = upstreams
            .iter()
            .map(|upstream| MergeInput {
                config: upstream.config(),
                listing: upstream.offers().tools(),
            })
            .collect();
        let catalog = Catalog::merge(&inputs, self.limits.tool_name_length);
        view.send_if_modified(|view| {
            let is_progress =
                initial && !view.initial_listing_done || live && !view.live_listing_done;
            view.initial_listing_done |= initial;
            view.live_listing_done |= live;
            let changed = *view.catalog != catalog;
            if changed {
                debug!(tools = catalog.len(), complete = initial, "catalog changed");
                view.catalog = Arc::new(catalog);
            }
            let replaced = !Arc::ptr_eq(&view.upstreams, &upstreams);
            view.upstreams = upstreams.clone();
            is_progress || changed || replaced
        });
    }

    fn has_timed_out(&self, upstream: &Upstream, waited: Duration) -> bool {
        waited >= self.limits.startup_wait
            || (waited >= SILENT_WAIT && !upstream.pool().has_responded())
    }
}

/// Waits until each of these upstreams has listed its tools or has failed, like the first listing.
///
/// Waits for at most `startup_wait`, and for at most `SILENT_WAIT` for an upstream that sends nothing.
pub async fn wait_for_listings(upstreams: &[Upstream], startup_wait: Duration) {
    let all = |those: Vec<Upstream>| async move {
        join_all(those.iter().map(|upstream| upstream.wait_until_listed(0))).await;
    };
    let silent_wait = SILENT_WAIT.min(startup_wait);
    if timeout(silent_wait, all(upstreams.to_vec())).await.is_ok() {
        return;
    }
    let responding = upstreams
        .iter()
        .filter(|it| it.pool().has_responded())
        .cloned();
    let _ = timeout(startup_wait - silent_wait, all(responding.collect())).await;
}
