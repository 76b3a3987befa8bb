//! The files of one upstream's login, shared by all processes of this user.
//!
//! The disk is the truth; what a process holds is a copy. A [`RecordFile`] is one file. It changes by
//! compare and swap: who wants to replace or remove a record shows the [`Version`] it read, and
//! loses against whoever was there before, so that nothing another process renewed is deleted
//! or overwritten. [`Store::lock`] is for what takes longer: one refresh, one login at a time.

mod error;
mod folder;
mod record_file;

use std::path::Path;
use std::time::Duration;

pub use error::StoreError;
pub use record_file::{Record, RecordFile, Snapshot, Swap, Version};

use super::tokens::{Client, Tokens};
use crate::config::{ServerUrl, UpstreamName};
use crate::disk::Lock;
use folder::Folder;

/// What only one process does at a time, for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Getting new tokens with the refresh token.
    Refresh,
    /// Sending a person to the browser.
    Login,
}

impl Task {
    fn file(self) -> &'static str {
        match self {
            Self::Refresh => "refresh.lock",
            Self::Login => "login.lock",
        }
    }
}

/// The login of one upstream on this machine.
#[derive(Debug, Clone)]
pub struct Store(Folder);

impl Store {
    /// The login of the upstream of this name and url, below the folder from [`home`](crate::disk::home).
    /// Nothing is read or made yet.
    #[must_use]
    pub fn new(home: &Path, upstream: &UpstreamName, url: &ServerUrl) -> Self {
        Self(Folder::new(home, upstream, url))
    }

    /// Its tokens.
    #[must_use]
    pub fn tokens(&self) -> RecordFile<Tokens> {
        self.record_file("tokens.json")
    }

    /// The client as which we sign in.
    #[must_use]
    pub fn client(&self) -> RecordFile<Client> {
        self.record_file("client-info.json")
    }

    /// Anything else that belongs to the login and has to outlive a process.
    #[must_use]
    pub fn record_file<T: Record>(&self, file: &'static str) -> RecordFile<T> {
        RecordFile::new(self.0.clone(), file)
    }

    /// Waits until no other process or task is about it, no longer than `patience`. What is on
    /// the disk may have changed meanwhile: load it again. The lock goes when it is dropped, or
    /// when the process ends in whatever way.
    ///
    /// # Errors
    /// [`DiskError::Busy`](crate::disk::DiskError::Busy) when the time is over; another when the folder cannot be
    /// made or has no locks.
    pub async fn lock(&self, task: Task, patience: Duration) -> Result<Lock, StoreError> {
        let folder = self.0.claim().await?;
        Ok(Lock::acquire(&folder.join(task.file()), patience).await?)
    }

    /// The same without waiting; none when another is about it.
    ///
    /// # Errors
    /// As for [`Store::lock`].
    pub async fn try_lock(&self, task: Task) -> Result<Option<Lock>, StoreError> {
        let folder = self.0.claim().await?;
        Ok(Lock::try_acquire(&folder.join(task.file())).await?)
    }
}
