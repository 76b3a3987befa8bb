//! What can go wrong with the files of a login, and what a person can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::UpstreamName;

/// Why a login could not be read or kept. The texts name the remedy after a semicolon.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing says where the home directory is.
    #[error("there is no home directory to keep logins in; set `MCP_MANIFOLD_HOME` to a folder")]
    NoHome,
    /// The folder would depend on where the program was started.
    #[error("`MCP_MANIFOLD_HOME` is `{0}`, which is no absolute path; write the whole path")]
    RelativeHome(String),
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
    /// Others held the lock for too long.
    #[error(
        "another mcp-manifold holds `{}` for more than {} s; end the one that hangs",
        path.display(),
        waited.as_secs()
    )]
    Busy {
        /// The file that is locked.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// The program is about to end.
    #[error("the proxy is shutting down")]
    ShuttingDown,
    /// The system refuses.
    #[error("cannot {what} `{}`: {cause}; {}", path.display(), remedy(cause))]
    Io {
        /// What was to be done with the file.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl StoreError {
    pub(in crate::oauth) fn io(what: &'static str, path: PathBuf, cause: io::Error) -> Self {
        Self::Io { what, path, cause }
    }
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable for you, or set `MCP_MANIFOLD_HOME` to a folder that is"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space",
        io::ErrorKind::Unsupported => "set `MCP_MANIFOLD_HOME` to a folder on a local disk",
        _ => "set `MCP_MANIFOLD_HOME` to another folder",
    }
}
