//! The folder of the listing cache, `<home>/listings`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tracing::{debug, warn};

use super::entry::{CacheEntry, ContentHash, LoadedEntry, Unusable};
use super::eviction::{self, EXTENSION};
use super::fingerprint::{FingerprintKey, KEY_BYTES};
use crate::config::Upstream;
use crate::disk::file::{self, Durability};
use crate::disk::{DiskError, Lock, blocking, hashed_file_name};
use crate::upstream::offers::OffersSnapshot;

/// The largest file that is read or written, in bytes: no client accepts a longer list.
const MAX_BYTES: u64 = 64 << 20;

/// The lock file of processes that compare and write files. A reader needs no lock: it always sees a whole file.
const LOCK_FILE: &str = ".lock";

/// The file with the key of all fingerprints in the folder.
const KEY_FILE: &str = "key";

/// How long a writer waits for other processes. Each of them needs milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The cached listings of all upstreams.
#[derive(Debug, Clone)]
pub struct CacheDirectory {
    folder: PathBuf,
}

/// A summary of the listing that the next process would load for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedSummary {
    /// The number of tools, before any filter.
    pub tools: usize,
    /// When the file was written, in seconds since 1970. A file is written when the offers have changed.
    pub written_at: u64,
}

impl CacheDirectory {
    /// Creates a cache below the folder `home`, which need not exist. Neither reads nor writes files.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            folder: home.join("listings"),
        }
    }

    /// Removes the cached listing of an upstream. Returns `true` if there was one. A running process saves the
    /// listing again only after the offers have changed.
    ///
    /// # Errors
    /// [`DiskError`], if the file cannot be removed.
    pub async fn remove(&self, upstream: &Upstream) -> Result<bool, DiskError> {
        let path = self.path(upstream);
        // A process that is killed while it writes leaves the first of these.
        let paths = [file::temporary_path(&path), path];
        if !paths.iter().any(|path| path.exists()) {
            return Ok(false);
        }
        // Wait for a process that is writing.
        let lock = self.lock().await?;
        blocking(move || {
            let _lock = lock;
            for path in paths {
                let removed = file::remove(&path);
                removed.map_err(|cause| DiskError::io("remove", path, cause))?;
            }
            Ok(true)
        })
        .await
    }

    /// Returns `true` if the folder exists. This check is cheaper than a thread that finds nothing to read.
    pub(crate) fn exists(&self) -> bool {
        self.folder.exists()
    }

    /// Returns a summary of the cached listing of an upstream, if the next process could use it.
    pub async fn summary(&self, upstream: &Upstream) -> Option<CachedSummary> {
        let (directory, upstream) = (self.clone(), upstream.clone());
        let found = blocking(move || {
            let key = directory.read_key();
            Ok::<_, DiskError>(directory.read_entry(key.as_ref(), &upstream))
        });
        let found = found.await.ok().flatten()?;
        Some(CachedSummary {
            tools: found.offers.tools.tools.len(),
            written_at: found.written_at,
        })
    }

    /// Returns the cached listing of each upstream; `None` if there is no usable one. Marks the files as used.
    /// Blocks on the disk.
    pub(crate) fn load<'a>(
        &self,
        upstreams: impl Iterator<Item = &'a Upstream>,
    ) -> Vec<Option<LoadedEntry>> {
        let key = self.read_key();
        let load = |upstream: &Upstream| {
            let found = self.read_entry(key.as_ref(), upstream);
            found.inspect(|_| eviction::mark_used(&self.path(upstream)))
        };
        upstreams.map(load).collect()
    }

    /// Returns the cached listing of an upstream. Logs why a file is not used.
    fn read_entry(&self, key: Option<&FingerprintKey>, upstream: &Upstream) -> Option<LoadedEntry> {
        let path = self.path(upstream);
        let mut bytes = Vec::new();
        let (name, shown) = (&upstream.name, path.display());
        match file::read(&path, MAX_BYTES, &mut bytes) {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            Err(error) => {
                warn!(upstream = %name, path = %shown, %error, "cannot read the cached listing");
                return None;
            }
        }
        let read = match key {
            Some(key) => LoadedEntry::read(&Bytes::from(bytes), &key.config_fingerprint(upstream)),
            None => Err(Unusable::OtherConfiguration),
        };
        match read {
            Ok(found) => return Some(found),
            Err(error @ Unusable::Damaged(_)) => {
                warn!(upstream = %name, path = %shown, %error, "ignoring the cached listing");
            }
            Err(error) => debug!(upstream = %name, %error, "ignoring the cached listing"),
        }
        None
    }

    /// Acquires the lock on the files, which other processes use as well.
    pub(crate) async fn lock(&self) -> Result<Lock, DiskError> {
        let folder = self.folder.clone();
        blocking(move || {
            let made = file::make_folder(&folder, 1);
            made.map_err(|(path, cause)| {
                DiskError::io("make a folder for listings at", path, cause)
            })
        })
        .await?;
        Lock::acquire(&self.folder.join(LOCK_FILE), LOCK_TIMEOUT).await
    }

    /// Saves the offers, unless the file has them already or they are those of `saved_hash`. If the file of
    /// those is missing, the user has deleted it. Requires the lock, and blocks on the disk.
    pub(crate) fn save(
        &self,
        upstream: &Upstream,
        offers: &OffersSnapshot,
        saved_hash: Option<ContentHash>,
    ) -> Result<ContentHash, DiskError> {
        let path = self.path(upstream);
        let saved = self.write(&path, upstream, offers, saved_hash);
        saved.map_err(|cause| DiskError::io("write", path, cause))
    }

    /// Evicts files that no process has used for a long time. Requires the lock, and blocks on the disk.
    pub(crate) fn evict(&self) {
        eviction::evict(&self.folder);
    }

    fn write(
        &self,
        path: &Path,
        upstream: &Upstream,
        offers: &OffersSnapshot,
        saved_hash: Option<ContentHash>,
    ) -> io::Result<ContentHash> {
        let fingerprint = self.read_or_create_key()?.config_fingerprint(upstream);
        let entry = CacheEntry::new(offers, upstream.url.to_string(), fingerprint)?;
        let hash = entry.hash();
        if saved_hash == Some(hash) {
            return Ok(hash);
        }
        let mut there = Vec::new();
        let is_there = matches!(file::read(path, MAX_BYTES, &mut there), Ok(Some(_)));
        if is_there && entry.has_same_content(&there) {
            return Ok(hash);
        }
        let file = entry.into_file();
        if file.len() as u64 > MAX_BYTES {
            warn!(upstream = %upstream.name, bytes = file.len(), "the listing is too large to cache");
            return file::remove(path).map(|()| hash);
        }
        debug!(upstream = %upstream.name, bytes = file.len(), "listing cached");
        // A file that a power failure has cut off is ignored.
        file::write(path, &file, Durability::Process).map(|_| hash)
    }

    fn read_or_create_key(&self) -> io::Result<FingerprintKey> {
        if let Some(key) = self.read_key() {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        file::write(&self.folder.join(KEY_FILE), &bytes, Durability::Process)?;
        FingerprintKey::read(&bytes)
            .ok_or_else(|| io::Error::other("the fingerprint key is invalid"))
    }

    fn read_key(&self) -> Option<FingerprintKey> {
        let mut bytes = Vec::new();
        let read = file::read(&self.folder.join(KEY_FILE), KEY_BYTES as u64, &mut bytes);
        read.ok().flatten()?;
        FingerprintKey::read(&bytes)
    }

    fn path(&self, upstream: &Upstream) -> PathBuf {
        let name = upstream.name.as_str();
        // The displayed URL lacks the query, which may hold a key.
        let file = hashed_file_name(name, &format!("{name}\n{}", upstream.url));
        self.folder.join(format!("{file}.{EXTENSION}"))
    }
}
