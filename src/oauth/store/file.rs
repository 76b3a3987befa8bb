//! Files and folders for our user alone, replaced as a whole or not at all.
//!
//! On Unix their modes are 0600 and 0700 from the moment they exist. On Windows they inherit
//! what protects the user's profile.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

/// The largest file that is read, in bytes: far beyond any login.
const MAX_BYTES: u64 = 1 << 20;

/// Which file stood at a path: another one has taken its place when this differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    /// Of the file that is at `path` now; none when there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
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
pub(in crate::oauth) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => inode(&ours) == inode(&there),
        _ => false,
    }
}

/// To open a file for writing, made with the right mode if there is none.
pub(in crate::oauth) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads a file whole; none when there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<(Zeroizing<Vec<u8>>, Stamp)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Ok(None),
            _ => return Err(error),
        },
    };
    let metadata = file.metadata()?;
    #[cfg(unix)]
    narrow(path, &file, &metadata);
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        metadata.len().min(MAX_BYTES) as usize + 1,
    ));
    if file.take(MAX_BYTES + 1).read_to_end(&mut bytes)? as u64 > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {MAX_BYTES} bytes"),
        ));
    }
    Ok(Some((bytes, Stamp::read(&metadata))))
}

/// Takes from others what they may do with a file, as after a copy under a lax umask.
#[cfg(unix)]
fn narrow(path: &Path, file: &File, metadata: &Metadata) {
    use std::os::unix::fs::PermissionsExt;

    if metadata.permissions().mode() & 0o077 != 0 {
        let narrowed = file.set_permissions(fs::Permissions::from_mode(0o600));
        let path = path.display();
        match narrowed {
            Ok(()) => tracing::warn!(%path, "others could read this file; now they cannot"),
            Err(error) => tracing::warn!(%path, %error, "others can read this file"),
        }
    }
}

/// Puts `bytes` in the place of a file. Who reads it sees the old file or the new one, and after
/// a power failure one of them is there. The caller holds a lock, so nobody else uses the name beside it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
    let beside = path.with_extension("new");
    remove(&beside)?;
    let written = || -> io::Result<Stamp> {
        let mut file = options().create_new(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let stamp = Stamp::read(&file.metadata()?);
        // Windows does not rename a file that is open.
        drop(file);
        rename(&beside, path)?;
        Ok(stamp)
    };
    let stamp = written().inspect_err(|_| {
        // The first error is the one to tell.
        let _ = remove(&beside);
    })?;
    sync_folder(path)?;
    Ok(stamp)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
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
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes a folder and those above it, all for us alone; narrows one of `depth` lowest that is not.
pub(super) fn make_folder(path: &Path, depth: usize) -> Result<(), (PathBuf, io::Error)> {
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

        let narrowed = fs::metadata(folder).and_then(|metadata| {
            if metadata.permissions().mode() & 0o077 == 0 {
                return Ok(());
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        });
        narrowed.map_err(|error| (folder.to_owned(), error))?;
    }
    #[cfg(not(unix))]
    let _ = depth;
    Ok(())
}
