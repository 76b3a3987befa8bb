//! A file lock between all processes and tasks of this machine.
//!
//! The operating system holds the lock (`flock`, `LockFileEx`) and releases it when the process ends
//! in any way. No age or process id has to be checked, and nothing to be cleaned up. The file is never
//! removed: otherwise two processes could lock two files of one name.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use tokio::time::{Instant, sleep};

use super::{DiskError, blocking, file};

/// The first delay before a retry: most locks are held for one write.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest delay before a retry: other locks are held until the user has signed in.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// A lock that is held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Acquires the lock on `path`, and waits up to `timeout` while others hold it.
    /// Does not block the runtime's thread. Dropping the future stops the wait.
    ///
    /// # Errors
    /// [`DiskError::Busy`] after `timeout`, [`DiskError::Io`] if the file cannot be created or the file
    /// system has no locks.
    pub(crate) async fn acquire(path: &Path, timeout: Duration) -> Result<Self, DiskError> {
        let end = Instant::now() + timeout;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = Self::try_acquire(path).await? {
                return Ok(lock);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(DiskError::Busy {
                    path: path.to_owned(),
                    waited: timeout,
                });
            }
            sleep(pause.min(left)).await;
            // Random, so that waiting processes do not retry in step.
            pause = LAST_PAUSE.min(pause.mul_f64(1.5 + fastrand::f64()));
        }
    }

    /// Acquires the lock on `path` if it is free.
    ///
    /// # Errors
    /// [`DiskError::Io`] as for [`Lock::acquire`].
    pub(crate) async fn try_acquire(path: &Path) -> Result<Option<Self>, DiskError> {
        let path = path.to_owned();
        blocking(move || Self::attempt(&path)).await
    }

    fn attempt(path: &Path) -> Result<Option<Self>, DiskError> {
        let attempt = || -> io::Result<Option<Self>> {
            let locked = file::open_options().truncate(false).open(path)?;
            match FileExt::try_lock(&locked) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The folder may have been removed since the file was opened.
            Ok(file::is_same_file(&locked, path).then_some(Self(locked)))
        };
        attempt().map_err(|cause| DiskError::io("lock", path.to_owned(), cause))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Explicit, since a process that is being started may briefly hold a copy of the file handle.
        // It fails only if the lock is already released.
        let _ = FileExt::unlock(&self.0);
    }
}
