//! The folder with the files of all upstreams, `<home>/listings`.

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

/// The largest file that is read or written, in bytes: beyond what any client takes as a list.
const MAX_BYTES: u64 = 64 << 20;

/// The lock of processes that compare and write files. Readers need none: they always see a whole file.
const LOCK_FILE: &str = ".lock";

/// The file with the key of all fingerprints.
const KEY_FILE: &str = "key";

/// How long writing waits for other processes, each of which takes milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What is stored of all upstreams.
#[derive(Debug, Clone)]
pub struct CacheDirectory {
    folder: PathBuf,
}

/// What the next process would load of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedSummary {
    /// The number of tools, before any filter.
    pub tools: usize,
    /// When it was last written, in seconds since 1970: it is written when the offers have changed.
    pub written_at: u64,
}

impl CacheDirectory {
    /// The cache below this folder, which need not exist. Nothing is read or made yet.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            folder: home.join("listings"),
        }
    }

    /// Removes what is stored of an upstream. Returns `true` if there was anything. A process that runs
    /// stores it again once the offers have changed since it last read or wrote them, not before.
    ///
    /// # Errors
    /// [`DiskError`], when it cannot be removed.
    pub async fn remove(&self, upstream: &Upstream) -> Result<bool, DiskError> {
        let path = self.path(upstream);
        // The first is what a process leaves that is killed while it writes.
        let paths = [file::temporary_path(&path), path];
        if !paths.iter().any(|path| path.exists()) {
            return Ok(false);
        }
        // A process that writes at this moment is done before.
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

    /// Returns `true` if anything was ever stored. One look, since a thread that reads nothing costs more.
    pub(crate) fn exists(&self) -> bool {
        self.folder.exists()
    }

    /// Returns what the next process would load of an upstream, if anything.
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

    /// Returns what is stored of each; `None` where there is nothing that can be used. What is found counts
    /// as used now. May wait for the disk.
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

    /// Returns what is stored of an upstream. If that cannot be used, the log says why.
    fn read_entry(&self, key: Option<&FingerprintKey>, upstream: &Upstream) -> Option<LoadedEntry> {
        let path = self.path(upstream);
        let mut bytes = Vec::new();
        let (name, shown) = (&upstream.name, path.display());
        match file::read(&path, MAX_BYTES, &mut bytes) {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            Err(error) => {
                warn!(upstream = %name, path = %shown, %error, "cannot read what was remembered");
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
                warn!(upstream = %name, path = %shown, %error, "not using what was remembered");
            }
            Err(error) => debug!(upstream = %name, %error, "not using what was remembered"),
        }
        None
    }

    /// Waits for the lock on the files, which other processes take as well.
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

    /// Stores what is not on disk already, unless it says what was `stored` last: if that is gone, a person
    /// has deleted it. Needs the lock, and may wait for the disk.
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

    /// Removes what no process has used for long. Needs the lock, and may wait for the disk.
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
            warn!(upstream = %upstream.name, bytes = file.len(), "it offers too much to remember");
            return file::remove(path).map(|()| hash);
        }
        debug!(upstream = %upstream.name, bytes = file.len(), "remembered");
        // A file that a power failure has cut off is not used.
        file::write(path, &file, Durability::Process).map(|_| hash)
    }

    fn read_or_create_key(&self) -> io::Result<FingerprintKey> {
        if let Some(key) = self.read_key() {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        file::write(&self.folder.join(KEY_FILE), &bytes, Durability::Process)?;
        FingerprintKey::read(&bytes).ok_or_else(|| io::Error::other("no key"))
    }

    fn read_key(&self) -> Option<FingerprintKey> {
        let mut bytes = Vec::new();
        let read = file::read(&self.folder.join(KEY_FILE), KEY_BYTES as u64, &mut bytes);
        read.ok().flatten()?;
        FingerprintKey::read(&bytes)
    }

    fn path(&self, upstream: &Upstream) -> PathBuf {
        let name = upstream.name.as_str();
        // The url without its query, which may hold a key.
        let file = hashed_file_name(name, &format!("{name}\n{}", upstream.url));
        self.folder.join(format!("{file}.{EXTENSION}"))
    }
}
