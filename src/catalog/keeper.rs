//! The task that keeps the catalog up to date with the upstreams' listings.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::merge::{Catalog, Source};
use crate::config::Limits;
use crate::upstream::Upstream;

/// How long the first listing waits for an upstream that has not said a word: with what
/// starting takes, a second and a half.
const SILENT_WAIT: Duration = Duration::from_millis(1450);

/// What the rest of the program sees.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The catalog as it is now. The same `Arc` as long as a client would see the same tools.
    pub catalog: Arc<Catalog>,
    /// Whether every upstream was heard, is remembered, or was given up for the moment, so that a
    /// listing need not wait.
    pub complete: bool,
    /// The same where what is remembered counts for nothing: what is not known now is not there.
    pub fresh: bool,
}

/// Merges again whenever an upstream has news.
#[derive(Debug)]
pub struct Keeper {
    /// All upstreams in configuration order.
    pub upstreams: Vec<Upstream>,
    /// Rung by any of them.
    pub changed: Arc<Notify>,
    /// How long to wait, and how long names may be.
    pub limits: Limits,
}

impl Keeper {
    /// Runs until `cancel`; the clock of the first listing starts now.
    pub async fn run(self, view: watch::Sender<View>, cancel: CancellationToken) {
        let begun = Instant::now();
        let deadlines = [
            begun + SILENT_WAIT.min(self.limits.startup_wait),
            begun + self.limits.startup_wait,
        ];
        loop {
            self.refresh(&view, begun.elapsed());
            let fresh = view.borrow().fresh;
            let next = deadlines
                .into_iter()
                .find(|deadline| !fresh && *deadline > Instant::now());
            let deadline = async {
                match next {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.changed.notified() => {}
                () = deadline => {}
            }
        }
    }

    fn refresh(&self, view: &watch::Sender<View>, waited: Duration) {
        let all = |is_there: fn(&Upstream) -> bool| {
            let mut upstreams = self.upstreams.iter();
            upstreams.all(|it| is_there(it) || self.is_given_up(it, waited))
        };
        let (complete, fresh) = (all(Upstream::is_settled), all(Upstream::is_heard));
        let sources: Vec<_> = self
            .upstreams
            .iter()
            .map(|upstream| Source {
                config: upstream.config(),
                listing: upstream.listing(),
            })
            .collect();
        let catalog = Catalog::merge(&sources, self.limits.tool_name_length);
        view.send_if_modified(|view| {
            let completed = complete && !view.complete || fresh && !view.fresh;
            view.complete |= complete;
            view.fresh |= fresh;
            let changed = *view.catalog != catalog;
            if changed {
                debug!(tools = catalog.len(), complete, "catalog changed");
                view.catalog = Arc::new(catalog);
            }
            completed || changed
        });
    }

    fn is_given_up(&self, upstream: &Upstream, waited: Duration) -> bool {
        waited >= self.limits.startup_wait || (waited >= SILENT_WAIT && !upstream.is_alive())
    }
}
