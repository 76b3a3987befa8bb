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
use crate::disk::file::{self, Outlasts, Stamp};
use crate::disk::{Lock, blocking};

/// How long a compare and swap waits for those before it, each of which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held while a record is compared and swapped.
const LOCK: &str = "write.lock";

/// The memory for a record that is being written, in bytes: beyond any, so that it does not grow
/// and leave secrets behind in what it outgrew.
const ROOM: usize = 1 << 16;

/// What a [`RecordFile`] can hold: JSON objects, without members `generation` and `url`.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Record for T {}

/// One file with one record.
pub struct RecordFile<T> {
    folder: Folder,
    file: &'static str,
    holds: PhantomData<fn() -> T>,
}

/// Which state of a [`RecordFile`] somebody saw. It never comes back once another has followed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(Option<u64>);

impl Version {
    /// There is no file.
    pub const NONE: Self = Self(None);

    /// Starts anywhere, so that a record made after a removal is not taken for an older one;
    /// below 2^52, which every JSON reader can hold.
    fn next(self) -> u64 {
        let start = || fastrand::u64(1..1 << 51);
        self.0
            .map_or_else(start, |generation| generation.wrapping_add(1))
    }
}

/// What a [`RecordFile`] held when it was read.
#[derive(Debug, Clone)]
pub struct Snapshot<T> {
    /// The record; none when there is none, or the one there is bound to another url.
    pub record: Option<T>,
    /// Which state it was, to be shown when it is changed.
    pub version: Version,
    path: PathBuf,
    stamp: Option<Stamp>,
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

    /// Whether the file is still the same, by one look at the directory.
    #[must_use]
    pub fn is_current(&self) -> bool {
        Stamp::of(&self.path) == self.stamp
    }
}

/// What became of a change.
#[derive(Debug)]
#[must_use = "the change may have been refused"]
pub enum Swap<T> {
    /// It is on the disk, and this is how.
    Done(Snapshot<T>),
    /// Another was first: this is what stands there, and nothing was changed.
    Lost(Snapshot<T>),
}

/// A record as it is written.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
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
            holds: PhantomData,
        }
    }

    /// What is on the disk. Needs no lock and makes nothing.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Disk`]; the file stays as it is.
    pub async fn load(&self) -> Result<Snapshot<T>, StoreError> {
        // By one look, since most have nothing: a thread for it would cost more than all the rest.
        if !self.folder.may_exist() {
            return Ok(Snapshot::absent(self.folder.all().to_owned()));
        }
        let slot = self.clone();
        blocking(move || slot.read(slot.folder.find()?.join(slot.file))).await
    }

    /// Puts `record` there, provided that `seen` is still what is there.
    ///
    /// It is done or not, whatever becomes of the future. A caller whose record cannot be had
    /// again (a rotated refresh token) does it in a task that nobody cancels.
    ///
    /// # Errors
    /// As for [`RecordFile::load`], also when others block the file.
    pub async fn replace(&self, seen: Version, record: T) -> Result<Swap<T>, StoreError> {
        self.swap(seen, move |slot, path| {
            let generation = seen.next();
            let envelope = Envelope {
                generation,
                url: slot.folder.url().to_owned(),
                record,
            };
            let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
            serde_json::to_writer_pretty(&mut *bytes, &envelope)?;
            Ok(Snapshot {
                stamp: Some(file::write(&path, &bytes, Outlasts::PowerFailure)?),
                record: Some(envelope.record),
                version: Version(Some(generation)),
                path,
            })
        })
        .await
    }

    /// Puts `record` there, whatever is there.
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
                Swap::Lost(there) => seen = there.version,
            }
        }
    }

    /// Changes the record, or the empty one where there is none, without undoing what others
    /// change meanwhile: `change` is called again then.
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
                Swap::Lost(there) => seen = there,
            }
        }
    }

    /// Removes the record, provided that `seen` is still what is there.
    ///
    /// # Errors
    /// As for [`RecordFile::replace`].
    pub async fn remove(&self, seen: Version) -> Result<Swap<T>, StoreError> {
        self.swap(seen, |_, path| {
            file::remove(&path)?;
            file::sync_folder(&path)?;
            Ok(Snapshot::absent(path))
        })
        .await
    }

    async fn swap<F>(&self, seen: Version, change: F) -> Result<Swap<T>, StoreError>
    where
        F: FnOnce(&Self, PathBuf) -> io::Result<Snapshot<T>> + Send + 'static,
    {
        let folder = self.folder.claim().await?;
        let lock = Lock::acquire(&folder.join(LOCK), PATIENCE).await?;
        let slot = self.clone();
        blocking(move || {
            let _lock = lock;
            let path = folder.join(slot.file);
            let there = slot.read(path.clone())?;
            if there.version != seen {
                return Ok(Swap::Lost(there));
            }
            let changed = change(&slot, path.clone());
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
        let envelope: Envelope<T> = serde_json::from_slice(&bytes)
            .map_err(|error| self.folder.damaged(path.clone(), &error))?;
        Ok(Snapshot {
            record: (envelope.url == self.folder.url()).then_some(envelope.record),
            version: Version(Some(envelope.generation)),
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
