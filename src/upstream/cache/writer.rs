//! The task that keeps the listing cache up to date. It loads the cached listings at the start, and saves
//! changes every few seconds at most, and at shutdown.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::directory::CacheDirectory;
use super::entry::ContentHash;
use super::upstream::CachedUpstream;
use crate::config::UpstreamName;
use crate::disk::{DiskError, blocking};
use crate::upstream::offers::OffersSnapshot;

/// How long a change waits for others to be saved with it, since upstreams connect at about the same time.
const BATCH_DELAY: Duration = Duration::from_millis(200);

/// The shortest time between two saves, for a server whose tools change every second.
const MIN_WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// The source of the upstreams whose offers are cached.
pub trait CacheSource: Send + Sync {
    /// Returns the current upstreams.
    fn upstreams(&self) -> Vec<Arc<CachedUpstream>>;
}

// `Debug` is no supertrait: that would link the debug form of every type behind the trait.
impl fmt::Debug for dyn CacheSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheSource")
    }
}

/// Saves the offers of upstreams for the next process.
#[derive(Debug)]
pub struct CacheWriter {
    loader: CacheLoader,
    source: Box<dyn CacheSource>,
    failed_writes: FailedWrites,
    /// Whether unused files were evicted, which happens once.
    has_evicted: bool,
}

/// Loads cached listings for upstreams that are not connected yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CacheLoader {
    directory: CacheDirectory,
    /// Notified when there are offers to save.
    unsaved: Arc<Notify>,
}

impl CacheWriter {
    /// Creates a writer for these upstreams, below the folder from [`home`](crate::disk::home). Reads no file.
    #[must_use]
    pub fn new(home: &Path, source: impl CacheSource + 'static) -> Self {
        Self {
            loader: CacheLoader {
                directory: CacheDirectory::new(home),
                unsaved: Arc::default(),
            },
            source: Box::new(source),
            failed_writes: FailedWrites::default(),
            has_evicted: false,
        }
    }

    /// Returns a loader for upstreams that are added later.
    #[must_use]
    pub fn loader(&self) -> CacheLoader {
        self.loader.clone()
    }

    /// Loads the cached listings, sends `loaded`, and saves changes until `cancel`. Saves once more at the end.
    /// Upstreams that are added later have to be [loaded](CacheLoader::load).
    pub async fn run(mut self, loaded: oneshot::Sender<()>, cancel: CancellationToken) {
        self.loader.load(self.source.upstreams()).await;
        // The receiver may have stopped waiting.
        let _ = loaded.send(());
        while !cancel.is_cancelled() {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.loader.unsaved.notified() => {}
            }
            cancel.run_until_cancelled(sleep(BATCH_DELAY)).await;
            self.save().await;
            cancel.run_until_cancelled(sleep(MIN_WRITE_INTERVAL)).await;
        }
        self.save().await;
    }

    /// Saves all changes. Reports each failure; the next save retries it.
    async fn save(&mut self) {
        let all = self.source.upstreams().into_iter();
        let changed: Vec<_> = all
            .filter_map(|upstream| {
                let offers = upstream.take_unsaved()?;
                Some((upstream, offers))
            })
            .collect();
        if changed.is_empty() {
            return;
        }
        let upstreams: Vec<_> = changed
            .iter()
            .map(|(upstream, _)| upstream.clone())
            .collect();
        let saved = self.write(changed).await;
        self.failed_writes.report(None, saved.as_ref().err());
        let Ok(saved) = saved else {
            upstreams
                .iter()
                .for_each(|upstream| upstream.return_unsaved());
            return;
        };
        for (upstream, saved) in upstreams.iter().zip(&saved) {
            let name = &upstream.config().name;
            self.failed_writes.report(Some(name), saved.as_ref().err());
            match saved {
                Ok(hash) => upstream.set_saved_hash(*hash),
                Err(_) => upstream.return_unsaved(),
            }
        }
    }

    /// Saves each upstream's offers, also if another upstream's fail. The first call must_evict unused files.
    async fn write(
        &mut self,
        changed: Vec<(Arc<CachedUpstream>, OffersSnapshot)>,
    ) -> Result<Vec<Result<ContentHash, DiskError>>, DiskError> {
        let directory = self.loader.directory.clone();
        let lock = directory.lock().await?;
        let must_evict = !std::mem::replace(&mut self.has_evicted, true);
        blocking(move || {
            let _lock = lock;
            let save = |(upstream, offers): &(Arc<CachedUpstream>, OffersSnapshot)| {
                directory.save(upstream.config(), offers, upstream.saved_hash())
            };
            let saved = changed.iter().map(save).collect();
            if must_evict {
                directory.evict();
            }
            Ok(saved)
        })
        .await
    }
}

impl CacheLoader {
    /// Loads the cached listings of these upstreams. Skips upstreams that were loaded before.
    pub async fn load(&self, upstreams: impl IntoIterator<Item = Arc<CachedUpstream>>) {
        let upstreams = upstreams.into_iter();
        let is_new = |it: &Arc<CachedUpstream>| it.offers.set_unsaved_notify(self.unsaved.clone());
        let new: Vec<_> = upstreams.filter(is_new).collect();
        if new.is_empty() || !self.directory.exists() {
            return;
        }
        let (directory, upstreams) = (self.directory.clone(), new.clone());
        // One thread loads all: a thread for each file would cost more than most files.
        let load = move || {
            let configs = upstreams.iter().map(|it| it.config());
            Ok::<_, DiskError>(directory.load(configs))
        };
        let Ok(entries) = blocking(load).await else {
            return;
        };
        for (upstream, entry) in new.iter().zip(entries) {
            if let Some(entry) = entry {
                let name = &upstream.config().name;
                debug!(upstream = %name, tools = entry.offers.tools.tools.len(), "cached listing loaded");
                upstream.restore(entry);
            }
        }
    }
}

/// The upstreams whose last save failed; `None` stands for the folder.
#[derive(Debug, Default)]
struct FailedWrites(HashSet<Option<UpstreamName>>);

impl FailedWrites {
    /// Logs an error: as a warning if the save before succeeded, so that a full disk is reported once.
    fn report(&mut self, upstream: Option<&UpstreamName>, error: Option<&DiskError>) {
        let is_new = self.record(upstream, error.is_some());
        match (upstream, error) {
            (_, None) => {}
            (Some(name), Some(error)) if is_new => {
                warn!(upstream = %name, %error, "cannot cache the listing");
            }
            (None, Some(error)) if is_new => warn!(%error, "cannot cache listings"),
            (Some(name), Some(error)) => {
                debug!(upstream = %name, %error, "still cannot cache the listing");
            }
            (None, Some(error)) => debug!(%error, "still cannot cache listings"),
        }
    }

    /// Records whether a save failed. Returns `true` if it failed and the one before did not.
    fn record(&mut self, upstream: Option<&UpstreamName>, fails: bool) -> bool {
        let upstream = upstream.cloned();
        match fails {
            true => self.0.insert(upstream),
            false => {
                self.0.remove(&upstream);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
