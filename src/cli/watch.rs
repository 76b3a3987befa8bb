//! Watches a file by polling: `docs/decisions/hot-reload.md` explains why.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the file is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a change must be stable before it is reported: the file may be half written.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// How long the file must be missing before its removal is reported: editors replace files.
const REMOVAL_DELAY: Duration = Duration::from_secs(2);

/// A change of the watched file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileChange {
    /// The content may have changed.
    Modified,
    /// The file has been missing for [`REMOVAL_DELAY`].
    Removed,
}

/// Size, modification time and identity of the file, links followed; `None` if it does not exist.
type FileState = Option<(u64, Option<SystemTime>, FileId)>;

/// Device, inode, and the time of the inode's last change in seconds and nanoseconds.
type FileId = (u64, u64, i64, i64);

/// Watches one file.
#[derive(Debug)]
pub(super) struct FileWatcher {
    path: PathBuf,
    last_state: FileState,
}

impl FileWatcher {
    /// Watches a file from now on. Every change after this call is reported.
    pub(super) fn new(path: PathBuf) -> Self {
        let last_state = read_state(&path);
        Self { path, last_state }
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next change. A change that is undone at once is not reported.
    pub(super) async fn next(&mut self) -> FileChange {
        loop {
            sleep(POLL_INTERVAL).await;
            let state = self.read_state().await;
            if state == self.last_state {
                continue;
            }
            let delay = if state.is_some() {
                SETTLE_TIME
            } else {
                REMOVAL_DELAY
            };
            sleep(delay).await;
            // Otherwise the file is still changing: check it again.
            if self.read_state().await == state {
                self.last_state = state;
                return match state {
                    Some(_) => FileChange::Modified,
                    None => FileChange::Removed,
                };
            }
        }
    }

    /// Reads the state on a thread: a file system that hangs must not block the proxy.
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
