//! The files of one upstream's login, shared by all processes of the user.
//!
//! The disk is the truth and memory a cache. A [`RecordFile`] is one file, changed by compare and
//! swap: a change names the [`Version`] that was read. It fails if another process has changed the
//! file since, so no process deletes or overwrites what another has renewed. [`Store::lock`] covers
//! longer work: one refresh and one login at a time.

mod error;
mod folder;
mod record_file;

use std::path::Path;
use std::time::Duration;

pub use error::StoreError;
pub use record_file::{Record, RecordFile, Snapshot, Swap, Version};

use super::tokens::{ClientInformation, Tokens};
use crate::config::{ServerUrl, UpstreamName};
use crate::disk::Lock;
use folder::Folder;

/// Work that one process does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Refreshing the tokens.
    Refresh,
    /// Signing the user in.
    Login,
}

impl LockKind {
    fn file_name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh.lock",
            Self::Login => "login.lock",
        }
    }
}

/// The stored login of one upstream.
#[derive(Debug, Clone)]
pub struct Store(Folder);

impl Store {
    /// Makes the store of the upstream with this name and URL, in the folder from
    /// [`home`](crate::disk::home). Touches no file yet.
    #[must_use]
    pub fn new(home: &Path, upstream: &UpstreamName, url: &ServerUrl) -> Self {
        Self(Folder::new(home, upstream, url))
    }

    /// Returns the file of the tokens.
    #[must_use]
    pub fn tokens(&self) -> RecordFile<Tokens> {
        self.record_file("tokens.json")
    }

    /// Returns the file of the client.
    #[must_use]
    pub fn client(&self) -> RecordFile<ClientInformation> {
        self.record_file("client-info.json")
    }

    /// Returns another file of the login.
    #[must_use]
    pub fn record_file<T: Record>(&self, file: &'static str) -> RecordFile<T> {
        RecordFile::new(self.0.clone(), file)
    }

    /// Waits for the lock, at most `timeout`. Load records again afterwards: they may have changed.
    /// The lock is released when dropped, or when the process ends in any way.
    ///
    /// # Errors
    /// [`DiskError::Busy`](crate::disk::DiskError::Busy) after the timeout; another if the folder
    /// cannot be created or supports no locks.
    pub async fn lock(&self, kind: LockKind, timeout: Duration) -> Result<Lock, StoreError> {
        let folder = self.0.claim().await?;
        Ok(Lock::acquire(&folder.join(kind.file_name()), timeout).await?)
    }

    /// Takes the lock without waiting; `None` if it is taken.
    ///
    /// # Errors
    /// As for [`Store::lock`].
    pub async fn try_lock(&self, kind: LockKind) -> Result<Option<Lock>, StoreError> {
        let folder = self.0.claim().await?;
        Ok(Lock::try_acquire(&folder.join(kind.file_name())).await?)
    }
}
