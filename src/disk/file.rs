//! Files and folders for the current user alone, replaced atomically.
//!
//! On Unix they are created with the modes 0600 and 0700. On Windows they inherit the permissions
//! of the user's profile.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The identity of a file at a path. It differs once the file was replaced or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl FileStamp {
    /// The stamp of the file that is now at `path`; `None` without a file.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::read)
    }

    fn read(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            inode: inode(metadata),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// Whether `file` is the one at `path`. Without inode numbers the answer is always `true`: Windows
/// keeps the name of an open file.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(found)) => inode(&opened) == inode(&found),
        _ => false,
    }
}

/// Options that open a file for writing, and create it for the current user alone.
pub(crate) fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads a whole file into an empty buffer, which is allocated once. Returns `None` if there is no
/// file, and an error if it has more than `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64, into: &mut Vec<u8>) -> io::Result<Option<FileStamp>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Ok(None),
            _ => return Err(error),
        },
    };
    let metadata = file.metadata()?;
    #[cfg(unix)]
    restrict_mode(path, &file, &metadata);
    let too_large = || {
        let text = format!("the file has more than {limit} bytes");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
    };
    if metadata.len() > limit {
        return too_large();
    }
    into.reserve(metadata.len() as usize + 1);
    // The file may have grown since.
    if file.take(limit + 1).read_to_end(into)? as u64 > limit {
        return too_large();
    }
    Ok(Some(FileStamp::read(&metadata)))
}

/// Removes the permissions of other users, which a copy under a lax umask may have set.
#[cfg(unix)]
fn restrict_mode(path: &Path, file: &File, metadata: &Metadata) {
    use std::os::unix::fs::PermissionsExt;

    if metadata.permissions().mode() & 0o077 != 0 {
        let restricted = file.set_permissions(fs::Permissions::from_mode(0o600));
        let path = path.display();
        match restricted {
            Ok(()) => tracing::warn!(%path, "revoked the access of other users to this file"),
            Err(error) => tracing::warn!(%path, %error, "other users have access to this file"),
        }
    }
}

/// The extension of files that are still being written.
pub(crate) const TEMPORARY_EXTENSION: &str = "new";

/// The failure that a written file must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A power failure: the file is synced to disk.
    PowerFailure,
    /// The end of the process. A power failure may truncate the file.
    Process,
}

/// Replaces a file by `bytes`. Readers see the old file or the new one; with
/// [`Durability::PowerFailure`] one of them exists after a power failure. The caller holds a lock,
/// so no other writer uses the temporary file.
pub(crate) fn write(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<FileStamp> {
    let temporary = temporary_path(path);
    remove(&temporary)?;
    let write_and_rename = || -> io::Result<FileStamp> {
        let mut file = open_options().create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        if durability == Durability::PowerFailure {
            file.sync_all()?;
        }
        let stamp = FileStamp::read(&file.metadata()?);
        // Windows does not rename open files.
        drop(file);
        rename(&temporary, path)?;
        Ok(stamp)
    };
    let stamp = write_and_rename().inspect_err(|_| {
        // The first error is the one to report.
        let _ = remove(&temporary);
    })?;
    if durability == Durability::PowerFailure {
        sync_folder(path)?;
    }
    Ok(stamp)
}

/// The path at which [`write()`] prepares a file. A process that is killed meanwhile leaves it there.
pub(crate) fn temporary_path(path: &Path) -> PathBuf {
    path.with_extension(TEMPORARY_EXTENSION)
}

/// Removes a file if it exists.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(windows))]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Retries for 200 ms, since virus scanners and indexers open files that were just written.
#[cfg(windows)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            done => return done,
        }
    }
    fs::rename(from, to)
}

/// Syncs the folder of `path`, so that a new name in it survives a power failure.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Creates a folder and its parents, for the current user alone. Restricts the `depth` lowest ones if
/// they exist with wider permissions.
pub(crate) fn make_folder(path: &Path, depth: usize) -> Result<(), (PathBuf, io::Error)> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        // The error is about the lowest folder that exists.
        let lowest = path.ancestors().find(|folder| folder.exists());
        (lowest.unwrap_or(path).to_owned(), error)
    })?;
    #[cfg(unix)]
    for folder in path.ancestors().take(depth) {
        use std::os::unix::fs::PermissionsExt;

        let restricted = fs::metadata(folder).and_then(|metadata| {
            if metadata.permissions().mode() & 0o077 == 0 {
                return Ok(());
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        });
        restricted.map_err(|error| (folder.to_owned(), error))?;
    }
    #[cfg(not(unix))]
    let _ = depth;
    Ok(())
}
