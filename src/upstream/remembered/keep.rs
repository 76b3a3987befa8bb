//! The task between the memory of all upstreams and the disk: it reads once, at the start, and writes
//! what has changed, not too often, and at the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Shelf;
use crate::disk::{DiskError, blocking};
use crate::upstream::{Roster, Upstream};

/// How long a change waits for others to be written with it: upstreams connect at about the same time.
const GATHER: Duration = Duration::from_millis(200);

/// The shortest time between two writes, for a server whose tools change every second.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps what upstreams offer from one process to the next. Cheap to clone; all clones mean the same.
#[derive(Debug, Clone)]
pub struct Remembering {
    shelf: Shelf,
    upstreams: Roster,
    changed: Arc<Notify>,
}

impl Remembering {
    /// For these upstreams, below the folder from [`home`](crate::disk::home). Nothing is read yet.
    #[must_use]
    pub fn new(home: &Path, upstreams: Roster) -> Self {
        Self {
            shelf: Shelf::new(home),
            upstreams,
            changed: Arc::default(),
        }
    }

    /// Reads what is remembered, says so by `recalled`, and keeps the disk up to date until `cancel`
    /// and a last time then. Of upstreams that come later, what is remembered has to be [recalled](Self::recall).
    pub async fn run(self, recalled: oneshot::Sender<()>, cancel: CancellationToken) {
        self.recall(&self.upstreams.all()).await;
        // Nobody may wait for it any more.
        let _ = recalled.send(());
        let mut has_failed = false;
        while !cancel.is_cancelled() {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.changed.notified() => {}
            }
            cancel.run_until_cancelled(sleep(GATHER)).await;
            if let Err(error) = self.save().await {
                match std::mem::replace(&mut has_failed, true) {
                    false => warn!(%error, "cannot remember what servers offer"),
                    true => debug!(%error, "still cannot remember what servers offer"),
                }
            }
            cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
        if let Err(error) = self.save().await {
            debug!(%error, "cannot remember what servers offer");
        }
    }

    /// Has these know what is remembered of them. Those that do already are left alone.
    pub async fn recall(&self, upstreams: &[Upstream]) {
        let is_new = |it: &&Upstream| it.shared.memory.changed.set(self.changed.clone()).is_ok();
        let new: Vec<_> = upstreams.iter().filter(is_new).cloned().collect();
        if new.is_empty() || !self.shelf.may_exist() {
            return;
        }
        let (shelf, upstreams) = (self.shelf.clone(), new.clone());
        // All at once: a thread each would cost more than most files.
        let load = move || {
            let configs = upstreams.iter().map(Upstream::config);
            Ok::<_, DiskError>(shelf.load(configs))
        };
        let Ok(records) = blocking(load).await else {
            return;
        };
        for (upstream, record) in new.iter().zip(records) {
            if let Some(record) = record {
                let name = &upstream.config().name;
                debug!(upstream = %name, tools = record.listing.tools.len(), "recalled");
                upstream.recall(record);
            }
        }
    }

    /// Writes what has changed.
    async fn save(&self) -> Result<(), DiskError> {
        let all = self.upstreams.all();
        let changed: Vec<_> = all
            .iter()
            .filter_map(|upstream| Some((upstream.clone(), upstream.take_record()?)))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let taken: Vec<_> = changed
            .iter()
            .map(|(upstream, _)| upstream.clone())
            .collect();
        let shelf = self.shelf.clone();
        let save = async {
            let lock = self.shelf.lock().await?;
            blocking(move || {
                let _lock = lock;
                let mut saved = changed
                    .iter()
                    .map(|(it, record)| shelf.save(it.config(), record));
                saved.try_for_each(|saved| saved)
            })
            .await
        };
        save.await.inspect_err(|_| {
            // Some of it may be written, and is found to be the next time.
            taken.iter().for_each(Upstream::put_record_back);
        })
    }
}

#[cfg(test)]
mod tests;
