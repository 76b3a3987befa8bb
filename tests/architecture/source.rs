//! The files under `src/`.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::code::{Token, code, tokens, word};

/// One file under `src/`.
pub(crate) struct File {
    /// Below `src/`, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments and without the contents of strings.
    pub(crate) code: String,
}

impl File {
    pub(crate) fn new(path: String, text: String) -> Self {
        let code = code(&text);
        Self { path, text, code }
    }

    /// The stage that it belongs to; `None` for `main.rs` and `lib.rs`.
    pub(crate) fn stage(&self) -> Option<&str> {
        self.path.split_once('/').map(|(stage, _)| stage)
    }

    /// How many modules it stands below the root of the crate.
    pub(crate) fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        parts - usize::from(self.path.ends_with("/mod.rs"))
    }

    /// Returns `true` if the file holds tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        let is_below = self.path.contains("/tests/");
        is_below || self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs")
    }

    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        tokens(&self.code)
    }

    /// The words of its code, without lifetimes.
    pub(crate) fn words(&self) -> Vec<&str> {
        let tokens = self.tokens().into_iter();
        tokens
            .filter(Token::is_word)
            .map(|token| token.text)
            .collect()
    }

    /// Returns `true` if one of the words of its code is this.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.code.contains(word) && self.words().contains(&word)
    }

    /// The stages that the file names: the word after each `crate::` or the crate's own name.
    pub(crate) fn names(&self) -> Vec<&str> {
        let roots = ["crate::", "mcp_manifold::"];
        let after = roots.iter().flat_map(|root| {
            let at = self.code.match_indices(root);
            // Not the end of a longer name.
            let begins =
                |at: &usize| !self.code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let at = at.map(|(at, _)| at).filter(begins);
            at.map(|at| &self.code[at + root.len()..])
        });
        let mut names = Vec::new();
        for rest in after {
            if let Some(group) = rest.strip_prefix('{') {
                names.extend(first_words(group));
            } else {
                names.push(word(rest));
            }
        }
        names
    }
}

/// The first words of the items of a `use` group that has just been opened.
fn first_words(group: &str) -> Vec<&str> {
    let (mut depth, mut words, mut expected) = (0_usize, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                words.push(word(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    words
}

/// Every file under `src/`, by path.
pub(crate) fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let files = below("src").into_iter();
        files.map(|(path, text)| File::new(path, text)).collect()
    })
}

/// The files whose path begins so. Panics if no path does.
pub(crate) fn files_of(prefix: &str) -> Vec<&'static File> {
    let found = files().iter().filter(|file| file.path.starts_with(prefix));
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty(), "nothing is called src/{prefix}*");
    found
}

/// Returns `true` if the path of a file below `src/` begins so.
pub(crate) fn begins_a_path(prefix: &str) -> bool {
    files().iter().any(|file| file.path.starts_with(prefix))
}

/// The paths and texts of all Rust files below a folder of the package, by path.
pub(crate) fn below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut directories) = (Vec::new(), vec![root.clone()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                let below = below.to_str().unwrap().replace('\\', "/");
                found.push((below, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The paths and texts of all Rust files of the project; each path begins with its folder.
pub(crate) fn rust_files() -> &'static [(String, String)] {
    static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folders = ["src", "tests", "examples", "benches", "fuzz"].into_iter();
        let files = folders.flat_map(|folder| {
            let files = below(folder).into_iter();
            files.map(move |(path, text)| (format!("{folder}/{path}"), text))
        });
        files.collect()
    })
}

#[test]
fn the_stages_that_a_file_names_are_found() {
    let names = |text: &str| {
        let file = File::new("x.rs".to_owned(), text.to_owned());
        file.names().join(" ")
    };
    assert_eq!(names("use crate::wire::Era; crate::cli::run()"), "wire cli");
    assert_eq!(names("use crate::{a::{b, c}, d, e};"), "a d e");
}
