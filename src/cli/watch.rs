//! Watching a file by looking at it: `docs/decisions/hot-reload.md` says why.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How long it has to stay the same before it is taken: it may be being written.
const SETTLED: Duration = Duration::from_millis(200);

/// How long it has to be away before it counts as gone: editors put another in its place.
const AWAY: Duration = Duration::from_secs(2);

/// What is to be known of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// There is another text in it, or may be.
    Changed,
    /// It is not there, and has not come back for a while.
    Gone,
}

/// What a look at the file shows, links followed; `None` when it is not there.
type Look = Option<(u64, Option<SystemTime>, Inode)>;

/// Where the file system has it, and when that changed last.
type Inode = (u64, u64, i64, i64);

/// A file that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    last: Look,
}

impl Watch {
    /// Watches a file from now on: what is read of it later than this is not missed.
    pub(super) fn new(path: PathBuf) -> Self {
        let last = look(&path);
        Self { path, last }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next change. What comes and goes in a moment is none.
    pub(super) async fn next(&mut self) -> Seen {
        loop {
            sleep(EVERY).await;
            let now = self.look().await;
            if now == self.last {
                continue;
            }
            let long = if now.is_some() { SETTLED } else { AWAY };
            sleep(long).await;
            // Otherwise it is looked at again, when it may have come to rest.
            if self.look().await == now {
                self.last = now;
                return match now {
                    Some(_) => Seen::Changed,
                    None => Seen::Gone,
                };
            }
        }
    }

    /// Looks beside everything else: a file system that hangs must not hold us up.
    async fn look(&self) -> Look {
        let path = self.path.clone();
        // Fails when the process ends.
        spawn_blocking(move || look(&path)).await.ok().flatten()
    }
}

fn look(path: &Path) -> Look {
    let seen = metadata(path).ok()?;
    Some((seen.len(), seen.modified().ok(), inode(&seen)))
}

#[cfg(unix)]
fn inode(seen: &std::fs::Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt as _;

    (seen.dev(), seen.ino(), seen.ctime(), seen.ctime_nsec())
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> Inode {
    (0, 0, 0, 0)
}
