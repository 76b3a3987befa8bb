//! A lock on a file, between all processes and tasks of this machine.
//!
//! The operating system holds it (`flock`, `LockFileEx`) and frees it when its holder dies,
//! however that happens: no age, no process id, nothing to clean up. The file stays where it is,
//! since removing it would let two processes lock two files of one name.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use tokio::time::{Instant, sleep};

use super::{DiskError, blocking, file};

/// How soon a lock that is taken is tried again: at first, since most are held for a write, …
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// … and in the end, since the others are held for as long as a person takes.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// A lock that is held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock on `path`, waiting no longer than `timeout` for others to let go of it.
    /// The runtime's thread is never blocked, and who drops the future is out of the queue.
    ///
    /// # Errors
    /// [`DiskError::Busy`] when the time is over, [`DiskError::Io`] when the file cannot be
    /// made or the file system has no locks.
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
            // Not in step with the others that wait.
            pause = LAST_PAUSE.min(pause.mul_f64(1.5 + fastrand::f64()));
        }
    }

    /// Takes the lock on `path` if nobody has it.
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
            // Somebody may have removed the folder since we opened the file in it.
            Ok(file::is_same_file(&locked, path).then_some(Self(locked)))
        };
        attempt().map_err(|cause| DiskError::io("lock", path.to_owned(), cause))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // By name, since a process being started may hold a copy of the file for a moment.
        // It can only fail if the lock is gone already.
        let _ = FileExt::unlock(&self.0);
    }
}
