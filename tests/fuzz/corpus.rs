//! The fuzz corpus in `fuzz/corpus/<target>/`.

use std::fs;
use std::path::{Path, PathBuf};

/// The size limit of the corpus in bytes: every checkout contains it.
pub(crate) const MOST_BYTES: usize = 300 << 10;

/// An input of the corpus.
pub(crate) struct File {
    /// The name that a failure prints.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The inputs of one target, sorted by name.
pub(crate) struct Corpus {
    pub(crate) target: String,
    pub(crate) files: Vec<File>,
}

impl Corpus {
    pub(crate) fn of(target: &str) -> Self {
        let read = |path: PathBuf| File {
            bytes: fs::read(&path).unwrap(),
            name: format!("{target}/{}", name_of(&path)),
        };
        let files: Vec<_> = sorted(&root().join(target)).into_iter().map(read).collect();
        assert!(!files.is_empty(), "nothing is kept for `{target}`");
        Self {
            target: target.to_owned(),
            files,
        }
    }
}

/// The names of all corpus folders.
pub(crate) fn folders() -> Vec<String> {
    sorted(&root()).iter().map(|path| name_of(path)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
