//! Files and folders for our user alone, replaced as a whole or not at all.
//!
//! On Unix their modes are 0600 and 0700 from the moment they exist. On Windows they inherit
//! what protects the user's profile.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which file stood at a path: another one has taken its place when this differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl FileStamp {
    /// Of the file that is at `path` now; none when there is none.
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

/// Whether `file` is the one that stands at `path`. Where files have no number it is assumed:
/// Windows does not let go of the name of a file that is open.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => inode(&ours) == inode(&there),
        _ => false,
    }
}

/// To open a file for writing, made with the right mode if there is none.
pub(crate) fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads a file whole into an empty buffer, which does not grow meanwhile; none when there is none.
/// One of more than `limit` bytes is an error.
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
        let text = format!("it has more than {limit} bytes");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
    };
    if metadata.len() > limit {
        return too_large();
    }
    into.reserve(metadata.len() as usize + 1);
    // It may have grown since.
    if file.take(limit + 1).read_to_end(into)? as u64 > limit {
        return too_large();
    }
    Ok(Some(FileStamp::read(&metadata)))
}

/// Takes from others what they may do with a file, as after a copy under a lax umask.
#[cfg(unix)]
fn restrict_mode(path: &Path, file: &File, metadata: &Metadata) {
    use std::os::unix::fs::PermissionsExt;

    if metadata.permissions().mode() & 0o077 != 0 {
        let restricted = file.set_permissions(fs::Permissions::from_mode(0o600));
        let path = path.display();
        match restricted {
            Ok(()) => tracing::warn!(%path, "others could read this file; now they cannot"),
            Err(error) => tracing::warn!(%path, %error, "others can read this file"),
        }
    }
}

/// How the names end of files that are not in their place yet.
pub(crate) const TEMPORARY_EXTENSION: &str = "new";

/// What a file that was written has to outlast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Whatever comes.
    PowerFailure,
    /// The process alone: after a power failure it may be cut off.
    Process,
}

/// Puts `bytes` in the place of a file. Who reads it sees the old file or the new one, and after
/// a power failure one of them is there, if it is to outlast that. The caller holds a lock, so nobody
/// else uses the name beside it.
pub(crate) fn write(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<FileStamp> {
    let temporary = temporary_path(path);
    remove(&temporary)?;
    let written = || -> io::Result<FileStamp> {
        let mut file = open_options().create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        if durability == Durability::PowerFailure {
            file.sync_all()?;
        }
        let stamp = FileStamp::read(&file.metadata()?);
        // Windows does not rename a file that is open.
        drop(file);
        rename(&temporary, path)?;
        Ok(stamp)
    };
    let stamp = written().inspect_err(|_| {
        // The first error is the one to tell.
        let _ = remove(&temporary);
    })?;
    if durability == Durability::PowerFailure {
        sync_folder(path)?;
    }
    Ok(stamp)
}

/// Where [`write()`] prepares a file. A process that was killed meanwhile leaves it there.
pub(crate) fn temporary_path(path: &Path) -> PathBuf {
    path.with_extension(TEMPORARY_EXTENSION)
}

/// Removes a file, if it is there.
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

/// Tries again for a moment, as virus scanners and indexers open what has just been written.
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

/// Makes a new name in the folder of `path` outlast a power failure.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes a folder and those above it, all for us alone; narrows one of `depth` lowest that is not.
pub(crate) fn make_folder(path: &Path, depth: usize) -> Result<(), (PathBuf, io::Error)> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        // The one to blame is the last that is there.
        let there = path.ancestors().find(|folder| folder.exists());
        (there.unwrap_or(path).to_owned(), error)
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
