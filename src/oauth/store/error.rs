//! What can go wrong with the files of a login, and what a person can do about it.

use std::io;
use std::path::PathBuf;

use crate::config::UpstreamName;
use crate::disk::DiskError;

/// Why a login could not be read or kept. The texts name the remedy after a semicolon.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not ours, or was cut off. It stays as it is.
    #[error(
        "`{}` is damaged ({place}); delete it, then run `mcp-manifold login {upstream}`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and where. Never a part of the file, which may be a secret.
        place: String,
        /// Whose login it is.
        upstream: UpstreamName,
    },
    /// What can happen to any file.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl StoreError {
    pub(in crate::oauth) fn io(what: &'static str, path: PathBuf, cause: io::Error) -> Self {
        DiskError::io(what, path, cause).into()
    }
}
