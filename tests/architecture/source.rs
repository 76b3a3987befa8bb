//! The files under `src/`, read as code: without comments and without what strings say.

use std::fs;
use std::path::Path;

/// One file under `src/`.
pub(crate) struct File {
    /// Below `src/`, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments and what strings say.
    pub(crate) code: String,
}

impl File {
    /// The top-level module that it belongs to; `None` for `main.rs` and `lib.rs`.
    pub(crate) fn module(&self) -> Option<&str> {
        self.path.split_once('/').map(|(module, _)| module)
    }

    /// How many modules it stands below the root of the crate.
    pub(crate) fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        parts - usize::from(self.path.ends_with("/mod.rs"))
    }

    /// The words of its code.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.code
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
    }

    /// What follows each `crate::` (or the crate's own name): the modules it names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let roots = ["crate::", "mcp_manifold::"];
        let after = roots.iter().flat_map(|root| {
            let at = self.code.match_indices(root);
            at.map(|(at, _)| &self.code[at + root.len()..])
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

pub(crate) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// Every file under `src/`.
pub(crate) fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut directories) = (Vec::new(), vec![root.clone()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let below = path.strip_prefix(&root).unwrap();
                files.push(File {
                    path: below.to_str().unwrap().replace('\\', "/"),
                    code: code(&text),
                    text,
                });
            }
        }
    }
    files
}

/// The files whose path begins so, or a panic if there is none.
pub(crate) fn files_of(prefix: &str) -> Vec<File> {
    let mut files = files();
    files.retain(|file| file.path.starts_with(prefix));
    assert!(!files.is_empty(), "nothing is called src/{prefix}*");
    files
}

/// `text` with each comment and each literal of text replaced by a space.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") {
            3
        } else if c == '"' {
            string(rest)
        } else {
            let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let raw = if after_name { None } else { raw_string(rest) };
            raw.unwrap_or(0)
        };
        code.push(if skipped > 0 { ' ' } else { c });
        rest = &rest[skipped.max(c.len_utf8())..];
    }
    code
}

/// The length of the raw string that begins here, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end)? + end.len();
    Some(text.len() - inside.len() + length)
}

/// The length of the string that begins here.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[test]
fn reading_code_leaves_out_comments_and_strings() {
    let text = "a // b\nc(\"d\\\"e\", '\"', f, r#\"g\"h\"#, b\"i\") // j";
    let words: Vec<_> = code(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.concat(), "ac(,,f,,b)");
    let names = |text: &str| {
        let file = File {
            path: "x.rs".to_owned(),
            text: String::new(),
            code: code(text),
        };
        file.names().join(" ")
    };
    assert_eq!(names("use crate::wire::Era; crate::cli::run()"), "wire cli");
    assert_eq!(names("use crate::{a::{b, c}, d, e};"), "a d e");
}
