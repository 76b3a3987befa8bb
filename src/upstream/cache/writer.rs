//! The task between the memory of all upstreams and the disk: it reads once, at the start, and writes
//! what has changed, not too often, and at the end.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::directory::Shelf;
use super::entry::{Gist, Record};
use crate::config::UpstreamName;
use crate::disk::{DiskError, blocking};
use crate::upstream::handle::Upstream;
use crate::upstream::registry::Roster;

/// How long a change waits for others to be written with it: upstreams connect at about the same time.
const GATHER: Duration = Duration::from_millis(200);

/// The shortest time between two writes, for a server whose tools change every second.
const PAUSE: Duration = Duration::from_secs(5);

/// What is remembered, for upstreams that have not begun. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recalling {
    shelf: Shelf,
    changed: Arc<Notify>,
}

/// Keeps what upstreams offer from one process to the next.
#[derive(Debug)]
pub struct Remembering {
    recalling: Recalling,
    upstreams: Roster,
    failing: Failing,
    /// Whether it has looked for files that nobody uses, which is done once.
    has_swept: bool,
}

impl Remembering {
    /// For these upstreams, below the folder from [`home`](crate::disk::home). Nothing is read yet.
    #[must_use]
    pub fn new(home: &Path, upstreams: Roster) -> Self {
        Self {
            recalling: Recalling {
                shelf: Shelf::new(home),
                changed: Arc::default(),
            },
            upstreams,
            failing: Failing::default(),
            has_swept: false,
        }
    }

    /// For upstreams that come later.
    #[must_use]
    pub fn recalling(&self) -> Recalling {
        self.recalling.clone()
    }

    /// Reads what is remembered, says so by `recalled`, and keeps the disk up to date until `cancel`
    /// and a last time then. Of upstreams that come later, what is remembered has to be
    /// [recalled](Recalling::recall).
    pub async fn run(mut self, recalled: oneshot::Sender<()>, cancel: CancellationToken) {
        self.recalling.recall(&self.upstreams.all()).await;
        // Nobody may wait for it any more.
        let _ = recalled.send(());
        while !cancel.is_cancelled() {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.recalling.changed.notified() => {}
            }
            cancel.run_until_cancelled(sleep(GATHER)).await;
            self.save().await;
            cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
        self.save().await;
    }

    /// Writes what has changed. What cannot be written is told, and is tried again the next time.
    async fn save(&mut self) {
        let all = self.upstreams.all();
        let changed: Vec<_> = all
            .iter()
            .filter_map(|upstream| Some((upstream.clone(), upstream.take_record()?)))
            .collect();
        if changed.is_empty() {
            return;
        }
        let taken = changed.iter().map(|(upstream, _)| upstream.clone());
        let taken: Vec<_> = taken.collect();
        let written = self.write(changed).await;
        self.failing.tell(None, written.as_ref().err());
        let Ok(written) = written else {
            taken.iter().for_each(Upstream::put_record_back);
            return;
        };
        for (upstream, written) in taken.iter().zip(&written) {
            let name = &upstream.config().name;
            self.failing.tell(Some(name), written.as_ref().err());
            match written {
                Ok(gist) => upstream.record_is_kept(*gist),
                Err(_) => upstream.put_record_back(),
            }
        }
    }

    /// Writes each of these, whatever becomes of the others. The first time, what is long unused goes.
    async fn write(
        &mut self,
        changed: Vec<(Upstream, Record)>,
    ) -> Result<Vec<Result<Gist, DiskError>>, DiskError> {
        let lock = self.recalling.shelf.lock().await?;
        let shelf = self.recalling.shelf.clone();
        let sweeps = !std::mem::replace(&mut self.has_swept, true);
        blocking(move || {
            let _lock = lock;
            let write = |(upstream, record): &(Upstream, Record)| {
                shelf.save(upstream.config(), record, upstream.last_gist())
            };
            let written = changed.iter().map(write).collect();
            if sweeps {
                shelf.sweep();
            }
            Ok(written)
        })
        .await
    }
}

impl Recalling {
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
        for (upstream, found) in new.iter().zip(records) {
            if let Some(found) = found {
                let name = &upstream.config().name;
                debug!(upstream = %name, tools = found.record.listing.tools.len(), "recalled");
                upstream.recall(found);
            }
        }
    }
}

/// Whose files could not be written the last time; `None` stands for the folder.
#[derive(Debug, Default)]
struct Failing(HashSet<Option<UpstreamName>>);

impl Failing {
    /// Warns of an error when it worked before, so that a disk that is full is told once.
    fn tell(&mut self, whose: Option<&UpstreamName>, error: Option<&DiskError>) {
        let is_news = self.note(whose, error.is_some());
        match (whose, error) {
            (_, None) => {}
            (Some(name), Some(error)) if is_news => {
                warn!(upstream = %name, %error, "cannot remember what this server offers");
            }
            (None, Some(error)) if is_news => warn!(%error, "cannot remember what servers offer"),
            (Some(name), Some(error)) => {
                debug!(upstream = %name, %error, "still cannot remember what this server offers");
            }
            (None, Some(error)) => debug!(%error, "still cannot remember what servers offer"),
        }
    }

    /// Whether it fails now and did not the last time.
    fn note(&mut self, whose: Option<&UpstreamName>, fails: bool) -> bool {
        let whose = whose.cloned();
        match fails {
            true => self.0.insert(whose),
            false => {
                self.0.remove(&whose);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
