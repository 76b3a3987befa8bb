//! Errors of file operations, with remedies.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The reason why a file operation failed. The texts name the remedy after a semicolon.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// No variable names the home directory.
    #[error(
        "no home directory is known in which to store logins; set `MCP_MANIFOLD_HOME` to a folder"
    )]
    NoHome,
    /// A relative folder would depend on the working directory.
    #[error("`MCP_MANIFOLD_HOME` is `{0}`, which is not an absolute path; write the full path")]
    RelativeHome(String),
    /// Another process held the lock for too long.
    #[error(
        "another mcp-manifold process has held `{}` for more than {} s; end the process that hangs",
        path.display(),
        waited.as_secs()
    )]
    Busy {
        /// The locked file.
        path: PathBuf,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The program is shutting down.
    #[error("the proxy is shutting down")]
    ShuttingDown,
    /// The operating system returned an error.
    #[error("cannot {action} `{}`: {cause}; {}", path.display(), remedy(cause))]
    Io {
        /// The failed operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
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
