//! Errors of a login's files, each with its remedy.

use std::io;
use std::path::PathBuf;

use crate::config::UpstreamName;
use crate::disk::DiskError;

/// Why a stored login cannot be read or written. The remedy follows a semicolon.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is foreign or truncated. It is not changed.
    #[error(
        "`{}` is damaged ({place}); delete it, then run `mcp-manifold login {upstream}`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault and its position. Never quotes the file, which may contain a secret.
        place: String,
        /// The upstream of the login.
        upstream: UpstreamName,
    },
    /// An error of any file.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl StoreError {
    pub(in crate::oauth) fn io(what: &'static str, path: PathBuf, cause: io::Error) -> Self {
        DiskError::io(what, path, cause).into()
    }
}
