//! One file with one record, changed by compare and swap.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::folder::{Folder, MAX_BYTES};
use crate::disk::file::{self, Durability, FileStamp};
use crate::disk::{Lock, blocking};

/// The deadline for the lock. Each change before takes milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Held while a record is compared and swapped.
const LOCK: &str = "write.lock";

/// The initial buffer for writing a record, in bytes: larger than any record. A growing buffer
/// would leave secrets in freed memory.
const BUFFER_CAPACITY: usize = 1 << 16;

/// The content of a [`RecordFile`]: a JSON object without members `generation` and `url`.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Record for T {}

/// One file with one record.
pub struct RecordFile<T> {
    folder: Folder,
    file: &'static str,
    record_type: PhantomData<fn() -> T>,
}

/// The version of a [`RecordFile`] at some time. A past version never recurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(Option<u64>);

impl Version {
    /// The version of a missing file.
    pub const NONE: Self = Self(None);

    /// Starts at a random number, so that a record written after a removal differs from older ones.
    /// Below 2^52, which every JSON parser can represent.
    fn next(self) -> u64 {
        let start = || fastrand::u64(1..1 << 51);
        self.0
            .map_or_else(start, |generation| generation.wrapping_add(1))
    }
}

/// The content of a [`RecordFile`] when it was read.
#[derive(Debug, Clone)]
pub struct Snapshot<T> {
    /// The record; `None` without a file, or if the record is bound to another URL.
    pub record: Option<T>,
    /// The version that was read, for a later change.
    pub version: Version,
    path: PathBuf,
    stamp: Option<FileStamp>,
}

impl<T> Snapshot<T> {
    fn absent(path: PathBuf) -> Self {
        Self {
            record: None,
            version: Version::NONE,
            path,
            stamp: None,
        }
    }

    /// Returns `true` if the file is unchanged, by its metadata alone.
    #[must_use]
    pub fn is_current(&self) -> bool {
        FileStamp::at(&self.path) == self.stamp
    }
}

/// The outcome of a compare and swap.
#[derive(Debug)]
#[must_use = "the change may have been refused"]
pub enum Swap<T> {
    /// The change is on the disk; this is the new content.
    Done(Snapshot<T>),
    /// Another change came first; this is its content, and nothing was changed.
    Conflict(Snapshot<T>),
}

/// A record as written.
#[derive(Serialize, Deserialize)]
struct StoredRecord<T> {
    generation: u64,
    url: String,
    #[serde(flatten)]
    record: T,
}

impl<T: Record> RecordFile<T> {
    pub(super) fn new(folder: Folder, file: &'static str) -> Self {
        Self {
            folder,
            file,
            record_type: PhantomData,
        }
    }

    /// Reads the file. Takes no lock and creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Disk`]; the file is not changed.
    pub async fn load(&self) -> Result<Snapshot<T>, StoreError> {
        // Checked inline: most users have no logins, and a blocking task would cost more than the
        // check.
        if !self.folder.root_exists() {
            return Ok(Snapshot::absent(self.folder.root().to_owned()));
        }
        let this = self.clone();
        blocking(move || this.read(this.folder.locate()?.join(this.file))).await
    }

    /// Writes `record` if the file still has version `seen`.
    ///
    /// A dropped future leaves the change done or not done, never half done. A record such as a
    /// rotated refresh token cannot be obtained again. The caller then runs this in a task that is
    /// never cancelled.
    ///
    /// # Errors
    /// As for [`RecordFile::load`], also if another process holds the lock too long.
    pub async fn replace(&self, seen: Version, record: T) -> Result<Swap<T>, StoreError> {
        self.compare_and_swap(seen, move |this, path| {
            let generation = seen.next();
            let stored = StoredRecord {
                generation,
                url: this.folder.url().to_owned(),
                record,
            };
            let mut bytes = Zeroizing::new(Vec::with_capacity(BUFFER_CAPACITY));
            serde_json::to_writer_pretty(&mut *bytes, &stored)?;
            Ok(Snapshot {
                stamp: Some(file::write(&path, &bytes, Durability::PowerFailure)?),
                record: Some(stored.record),
                version: Version(Some(generation)),
                path,
            })
        })
        .await
    }

    /// Writes `record`, whatever the file contains.
    ///
    /// # Errors
    /// As for [`RecordFile::replace`].
    pub async fn put(&self, record: T) -> Result<Snapshot<T>, StoreError>
    where
        T: Clone,
    {
        let mut seen = self.load().await?.version;
        loop {
            match self.replace(seen, record.clone()).await? {
                Swap::Done(written) => return Ok(written),
                Swap::Conflict(current) => seen = current.version,
            }
        }
    }

    /// Applies `change` to the record, or to an empty one without a file. On a conflict, applies
    /// `change` again to the new record.
    ///
    /// # Errors
    /// As for [`RecordFile::replace`].
    pub async fn update(&self, change: impl Fn(&mut T)) -> Result<(), StoreError>
    where
        T: Clone + Default + PartialEq,
    {
        let mut seen = self.load().await?;
        loop {
            let before = seen.record.unwrap_or_default();
            let mut record = before.clone();
            change(&mut record);
            if record == before {
                return Ok(());
            }
            match self.replace(seen.version, record).await? {
                Swap::Done(_) => return Ok(()),
                Swap::Conflict(current) => seen = current,
            }
        }
    }

    /// Removes the record if the file still has version `seen`.
    ///
    /// # Errors
    /// As for [`RecordFile::replace`].
    pub async fn remove(&self, seen: Version) -> Result<Swap<T>, StoreError> {
        self.compare_and_swap(seen, |_, path| {
            file::remove(&path)?;
            file::sync_folder(&path)?;
            Ok(Snapshot::absent(path))
        })
        .await
    }

    async fn compare_and_swap<F>(&self, seen: Version, change: F) -> Result<Swap<T>, StoreError>
    where
        F: FnOnce(&Self, PathBuf) -> io::Result<Snapshot<T>> + Send + 'static,
    {
        let folder = self.folder.claim().await?;
        let lock = Lock::acquire(&folder.join(LOCK), LOCK_TIMEOUT).await?;
        let this = self.clone();
        blocking(move || {
            let _lock = lock;
            let path = folder.join(this.file);
            let current = this.read(path.clone())?;
            if current.version != seen {
                return Ok(Swap::Conflict(current));
            }
            let changed = change(&this, path.clone());
            let changed = changed.map_err(|cause| StoreError::io("write", path, cause));
            changed.map(Swap::Done)
        })
        .await
    }

    fn read(&self, path: PathBuf) -> Result<Snapshot<T>, StoreError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let found = file::read(&path, MAX_BYTES, &mut bytes);
        let found = found.map_err(|cause| StoreError::io("read", path.clone(), cause))?;
        let Some(stamp) = found else {
            return Ok(Snapshot::absent(path));
        };
        let stored: StoredRecord<T> = serde_json::from_slice(&bytes)
            .map_err(|error| self.folder.damaged(path.clone(), &error))?;
        Ok(Snapshot {
            record: (stored.url == self.folder.url()).then_some(stored.record),
            version: Version(Some(stored.generation)),
            path,
            stamp: Some(stamp),
        })
    }
}

impl<T> Clone for RecordFile<T> {
    fn clone(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            ..*self
        }
    }
}

impl<T> fmt::Debug for RecordFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordFile({}/{})", self.folder.upstream, self.file)
    }
}
