//! Evicts the files that no process has used for long.
//!
//! Processes with different configurations share the folder. A process does not know whether another one uses the
//! file of an upstream that it does not have itself. So the modification time of a file is the time of its last
//! use: a process sets it by writing the file, and by reading it at its start. Any process may evict.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::disk::file;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How the files of upstreams end.
pub(crate) const EXTENSION: &str = "json";

/// How long a file is kept without use: longer than a holiday, or a project that rests for a while.
const EVICT_AFTER: Duration = DAY.saturating_mul(90);

/// How old the time of last use may be before it is set again: not each start has to write.
const MARK_INTERVAL: Duration = DAY;

/// Records that a file is used.
pub(crate) fn mark_used(path: &Path) {
    let mark = || -> io::Result<()> {
        let now = SystemTime::now();
        if is_older(&fs::metadata(path)?, MARK_INTERVAL, now) {
            // Windows sets the time only of what is open for writing.
            let file = File::options().read(true).write(cfg!(windows)).open(path)?;
            file.set_modified(now)?;
        }
        Ok(())
    };
    if let Err(error) = mark() {
        debug!(path = %path.display(), %error, "cannot note that it is used");
    }
}

/// Removes the files of this folder that no process has used for long. Needs the lock, and may wait for the disk.
pub(crate) fn evict(folder: &Path) {
    if let Err(error) = remove_stale(folder, SystemTime::now()) {
        debug!(path = %folder.display(), %error, "cannot look for what nobody uses");
    }
}

fn remove_stale(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        // Neither the key nor the lock, nor a file of another program.
        let extension = path.extension();
        let is_ours =
            extension.is_some_and(|it| it == EXTENSION || it == file::TEMPORARY_EXTENSION);
        // Links are not followed.
        let is_stale = |it: Metadata| it.is_file() && is_older(&it, EVICT_AFTER, now);
        if is_ours && entry.metadata().is_ok_and(is_stale) {
            let shown = path.display();
            match file::remove(&path) {
                Ok(()) => debug!(path = %shown, "removed what nobody has used for long"),
                Err(error) => debug!(path = %shown, %error, "cannot remove what nobody uses"),
            }
        }
    }
    Ok(())
}

/// Returns `true` if a file was last used longer ago than `age`. One from the future was not: the clock has
/// been set back since.
fn is_older(metadata: &Metadata, age: Duration, now: SystemTime) -> bool {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|modified| now.duration_since(modified).ok());
    since.is_some_and(|since| since > age)
}
