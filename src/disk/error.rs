//! What can go wrong with files, and what a person can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why something could not be read or kept. The texts name the remedy after a semicolon.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Nothing says where the home directory is.
    #[error("there is no home directory to keep logins in; set `MCP_MANIFOLD_HOME` to a folder")]
    NoHome,
    /// The folder would depend on where the program was started.
    #[error("`MCP_MANIFOLD_HOME` is `{0}`, which is no absolute path; write the whole path")]
    RelativeHome(String),
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
    #[error("cannot {action} `{}`: {cause}; {}", path.display(), remedy(cause))]
    Io {
        /// What was to be done with the file.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: PathBuf, cause: io::Error) -> Self {
        Self::Io {
            action,
            path,
            cause,
        }
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
