//! The folder of one upstream's login: `<home>/oauth/<upstream>`.
//!
//! Configurations may use one name for different upstreams. The first upstream to store a login
//! owns the folder, as its `upstream.json` says. An upstream with another URL uses a folder with a
//! hash in its name. So neither replaces the other's login. A name that is no safe file name also
//! gets such a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use crate::config::{ServerUrl, UpstreamName};
use crate::disk::file::Durability;
use crate::disk::{Lock, blocking, file, hashed_file_name, is_portable_name};

/// The largest file that is read, in bytes: far larger than any login.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// The file that names the owner of the folder.
const OWNER: &str = "upstream.json";

/// Held while a folder gets its owner. No upstream's folder begins with a dot.
const LOCK: &str = ".lock";

/// The deadline for that lock: it protects one small write.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The folder of one upstream. It need not exist.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    pub(super) upstream: UpstreamName,
    owner: Owner,
}

/// The upstream that owns a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Owner {
    upstream: String,
    url: String,
}

impl Folder {
    pub(super) fn new(home: &Path, upstream: &UpstreamName, url: &ServerUrl) -> Self {
        let owner = Owner {
            upstream: upstream.as_str().to_owned(),
            // Without the query, like a resource identifier: the query may contain a key.
            url: url.to_string(),
        };
        Self {
            root: home.join("oauth"),
            upstream: upstream.clone(),
            owner,
        }
    }

    /// Returns the URL that records must be bound to.
    pub(super) fn url(&self) -> &str {
        &self.owner.url
    }

    /// Returns `true` if any login was ever stored here.
    pub(super) fn root_exists(&self) -> bool {
        self.root.exists()
    }

    /// Returns the folder of all logins.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the folder, without creating it.
    pub(super) fn locate(&self) -> Result<PathBuf, StoreError> {
        let plain = self.root.join(self.upstream.as_str());
        if !is_portable_name(self.upstream.as_str()) {
            return Ok(self.hashed_path());
        }
        match self.read_owner(&plain)? {
            Some(owner) if owner != self.owner => Ok(self.hashed_path()),
            _ => Ok(plain),
        }
    }

    /// Creates the folder, and makes this upstream its owner.
    pub(super) async fn claim(&self) -> Result<PathBuf, StoreError> {
        let folder = self.clone();
        let found = blocking(move || {
            let path = folder.locate()?;
            folder.create(&path)?;
            // Another upstream may have claimed the folder since `locate`.
            let owned = folder.read_owner(&path)?.as_ref() == Some(&folder.owner);
            Ok::<_, StoreError>((path, owned))
        });
        let (path, owned) = found.await?;
        if owned {
            return Ok(path);
        }
        let lock = Lock::acquire(&self.root.join(LOCK), LOCK_TIMEOUT).await?;
        let folder = self.clone();
        blocking(move || {
            let _lock = lock;
            let path = folder.locate()?;
            folder.create(&path)?;
            let owner = path.join(OWNER);
            let written = serde_json::to_vec_pretty(&folder.owner)
                .map_err(Into::into)
                .and_then(|bytes| file::write(&owner, &bytes, Durability::PowerFailure));
            written.map_err(|cause| StoreError::io("write", owner, cause))?;
            Ok(path)
        })
        .await
    }

    fn create(&self, path: &Path) -> Result<(), StoreError> {
        let made = file::make_folder(path, 2);
        made.map_err(|(path, cause)| StoreError::io("create the login folder", path, cause))
    }

    fn read_owner(&self, folder: &Path) -> Result<Option<Owner>, StoreError> {
        let path = folder.join(OWNER);
        let mut bytes = Vec::new();
        match file::read(&path, MAX_BYTES, &mut bytes) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => match serde_json::from_slice(&bytes) {
                Ok(owner) => Ok(Some(owner)),
                Err(error) => Err(self.damaged(path, &error)),
            },
            Err(cause) => Err(StoreError::io("read", path, cause)),
        }
    }

    /// Returns the path for when another upstream owns the plain one.
    fn hashed_path(&self) -> PathBuf {
        let owner = format!("{}\n{}", self.owner.upstream, self.owner.url);
        self.root
            .join(hashed_file_name(self.upstream.as_str(), &owner))
    }

    /// Returns the error for malformed JSON: with the position, without the content.
    pub(super) fn damaged(&self, path: PathBuf, error: &serde_json::Error) -> StoreError {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "truncated",
            serde_json::error::Category::Data => "a member is missing or wrong",
            _ => "not JSON",
        };
        StoreError::Damaged {
            path,
            place: format!("{what}: line {}, column {}", error.line(), error.column()),
            upstream: self.upstream.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
