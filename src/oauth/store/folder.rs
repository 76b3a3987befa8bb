//! Where the login of one upstream is: `<home>/oauth/<upstream>`.
//!
//! Names repeat between configurations. The upstream that first has a login under a name owns
//! its folder, as `upstream.json` in it says; one of another url gets a folder of its own beside
//! it, with a hash in its name, so that neither takes the other's login away. So does a name
//! that is no safe file name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use crate::config::{ServerUrl, UpstreamName};
use crate::disk::file::Outlasts;
use crate::disk::{Lock, blocking, file, is_plain, with_hash};

/// The largest file that is read, in bytes: far beyond any login.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// The file that says whose folder it is.
const OWNER: &str = "upstream.json";

/// Held while a folder gets its owner. No upstream's folder begins with a dot.
const LOCK: &str = ".lock";

/// How long that may take: it is one small write.
const PATIENCE: Duration = Duration::from_secs(10);

/// The folder of one upstream, which need not exist.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    all: PathBuf,
    pub(super) upstream: UpstreamName,
    owner: Owner,
}

/// Whose folder it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Owner {
    upstream: String,
    url: String,
}

impl Folder {
    pub(super) fn new(home: &Path, upstream: &UpstreamName, url: &ServerUrl) -> Self {
        let owner = Owner {
            upstream: upstream.as_str().to_owned(),
            // Without its query, as a resource is named, and as that may hold a key.
            url: url.to_string(),
        };
        Self {
            all: home.join("oauth"),
            upstream: upstream.clone(),
            owner,
        }
    }

    /// The url that a record must be bound to.
    pub(super) fn url(&self) -> &str {
        &self.owner.url
    }

    /// Whether anybody has ever had a login here.
    pub(super) fn may_exist(&self) -> bool {
        self.all.exists()
    }

    /// Where all logins are.
    pub(super) fn all(&self) -> &Path {
        &self.all
    }

    /// Where the login is, if there is one. Makes nothing.
    pub(super) fn find(&self) -> Result<PathBuf, StoreError> {
        let plain = self.all.join(self.upstream.as_str());
        if !is_plain(self.upstream.as_str()) {
            return Ok(self.apart());
        }
        match self.owner_of(&plain)? {
            Some(owner) if owner != self.owner => Ok(self.apart()),
            _ => Ok(plain),
        }
    }

    /// Makes the folder, ours from now on.
    pub(super) async fn claim(&self) -> Result<PathBuf, StoreError> {
        let folder = self.clone();
        let found = blocking(move || {
            let path = folder.find()?;
            folder.make(&path)?;
            let owned = folder.owner_of(&path)?.is_some();
            Ok::<_, StoreError>((path, owned))
        });
        let (path, owned) = found.await?;
        if owned {
            return Ok(path);
        }
        let lock = Lock::acquire(&self.all.join(LOCK), PATIENCE).await?;
        let folder = self.clone();
        blocking(move || {
            let _lock = lock;
            let path = folder.find()?;
            folder.make(&path)?;
            let owner = path.join(OWNER);
            let written = serde_json::to_vec_pretty(&folder.owner)
                .map_err(Into::into)
                .and_then(|bytes| file::write(&owner, &bytes, Outlasts::PowerFailure));
            written.map_err(|cause| StoreError::io("write", owner, cause))?;
            Ok(path)
        })
        .await
    }

    fn make(&self, path: &Path) -> Result<(), StoreError> {
        let made = file::make_folder(path, 2);
        made.map_err(|(path, cause)| StoreError::io("make a folder for logins at", path, cause))
    }

    fn owner_of(&self, folder: &Path) -> Result<Option<Owner>, StoreError> {
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

    /// The folder for when the plain one is not ours.
    fn apart(&self) -> PathBuf {
        let owner = format!("{}\n{}", self.owner.upstream, self.owner.url);
        self.all.join(with_hash(self.upstream.as_str(), &owner))
    }

    /// Tells where the JSON of a file is wrong, and not what is there instead.
    pub(super) fn damaged(&self, path: PathBuf, error: &serde_json::Error) -> StoreError {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Data => "a member is missing or wrong",
            _ => "it is not JSON",
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
