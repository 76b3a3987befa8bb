//! Evicts cache files that no process has used for a long time.
//!
//! Processes with different configurations share the folder, so no process knows which files the others use.
//! The modification time of a file records its last use. A process sets it when it writes the file, and when
//! it loads the file at its start. Any process may evict.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::disk::file;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The extension of the cache files of upstreams.
pub(crate) const EXTENSION: &str = "json";

/// How long a file is kept without use. This is longer than a holiday or the pause of a project.
const EVICT_AFTER: Duration = DAY.saturating_mul(90);

/// How old the recorded time of use may be before it is set again. Not each start has to write.
const MARK_INTERVAL: Duration = DAY;

/// Records that a file is used now.
pub(crate) fn mark_used(path: &Path) {
    let mark = || -> io::Result<()> {
        let now = SystemTime::now();
        if is_older(&fs::metadata(path)?, MARK_INTERVAL, now) {
            // Windows sets the time only of a file that is open for writing.
            let file = File::options().read(true).write(cfg!(windows)).open(path)?;
            file.set_modified(now)?;
        }
        Ok(())
    };
    if let Err(error) = mark() {
        debug!(path = %path.display(), %error, "cannot record the use of a cached listing");
    }
}

/// Removes unused files from the folder. Requires the lock, and blocks on the disk.
pub(crate) fn evict(folder: &Path) {
    if let Err(error) = remove_stale(folder, SystemTime::now()) {
        debug!(path = %folder.display(), %error, "cannot look for unused cached listings");
    }
}

fn remove_stale(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        // This skips the key, the lock, and files of other programs.
        let extension = path.extension();
        let is_ours =
            extension.is_some_and(|it| it == EXTENSION || it == file::TEMPORARY_EXTENSION);
        // Links are not followed.
        let is_stale = |it: Metadata| it.is_file() && is_older(&it, EVICT_AFTER, now);
        if is_ours && entry.metadata().is_ok_and(is_stale) {
            let shown = path.display();
            match file::remove(&path) {
                Ok(()) => debug!(path = %shown, "unused cached listing evicted"),
                Err(error) => debug!(path = %shown, %error, "cannot evict a cached listing"),
            }
        }
    }
    Ok(())
}

/// Returns `true` if a file was last used longer ago than `age`. A time in the future counts as recent, since
/// the clock was set back.
fn is_older(metadata: &Metadata, age: Duration, now: SystemTime) -> bool {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|modified| now.duration_since(modified).ok());
    since.is_some_and(|since| since > age)
}
