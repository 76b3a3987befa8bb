//! Watching a file by looking at it: `docs/decisions/hot-reload.md` says why.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the file is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long it has to stay the same before it is taken: it may be being written.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// How long it has to be away before it counts as gone: editors put another in its place.
const REMOVAL_DELAY: Duration = Duration::from_secs(2);

/// What is to be known of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileChange {
    /// There is another text in it, or may be.
    Modified,
    /// It is not there, and has not come back for a while.
    Removed,
}

/// What a look at the file shows, links followed; `None` when it is not there.
type FileState = Option<(u64, Option<SystemTime>, FileId)>;

/// Where the file system has it, and when that changed last.
type FileId = (u64, u64, i64, i64);

/// A file that is watched.
#[derive(Debug)]
pub(super) struct FileWatcher {
    path: PathBuf,
    last: FileState,
}

impl FileWatcher {
    /// Watches a file from now on: what is read of it later than this is not missed.
    pub(super) fn new(path: PathBuf) -> Self {
        let last = read_state(&path);
        Self { path, last }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next change. What comes and goes in a moment is none.
    pub(super) async fn next(&mut self) -> FileChange {
        loop {
            sleep(POLL_INTERVAL).await;
            let now = self.read_state().await;
            if now == self.last {
                continue;
            }
            let long = if now.is_some() {
                SETTLE_TIME
            } else {
                REMOVAL_DELAY
            };
            sleep(long).await;
            // Otherwise it is looked at again, when it may have come to rest.
            if self.read_state().await == now {
                self.last = now;
                return match now {
                    Some(_) => FileChange::Modified,
                    None => FileChange::Removed,
                };
            }
        }
    }

    /// Looks beside everything else: a file system that hangs must not hold us up.
    async fn read_state(&self) -> FileState {
        let path = self.path.clone();
        // Fails when the process ends.
        spawn_blocking(move || read_state(&path))
            .await
            .ok()
            .flatten()
    }
}

fn read_state(path: &Path) -> FileState {
    let metadata = metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok(), file_id(&metadata)))
}

#[cfg(unix)]
fn file_id(metadata: &std::fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;

    (
        metadata.dev(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

#[cfg(not(unix))]
fn file_id(_: &std::fs::Metadata) -> FileId {
    (0, 0, 0, 0)
}
