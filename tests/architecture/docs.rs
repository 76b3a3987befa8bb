//! The pages of `docs/` name files of this project that exist.

use std::fs;
use std::path::{Path, PathBuf};

/// The paths of all files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The Rust files that a page names in backticks.
fn named(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let is_path = |text: &&str| text.ends_with(".rs") && !text.contains([' ', '*', '{', '…']);
    quoted.filter(is_path)
}

#[test]
fn every_file_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = ["src", "tests", "benches", "examples"]
        .into_iter()
        .flat_map(|folder| below(&root.join(folder)))
        .collect();
    let (mut seen, mut missing) = (0, Vec::new());
    // Decisions also name files of others, and of their time.
    let pages = fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    for page in pages.filter(|page| page.extension().is_some_and(|it| it == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        for name in named(&text) {
            seen += 1;
            // By its last parts: a table names files below the folder of its row.
            if !files.iter().any(|file| file.ends_with(name)) {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(seen > 50, "found only {seen} names of files");
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn names_of_files_are_found_in_a_page() {
    let page = "`a.rs`, `b/c.rs`: `d` and `*.rs`, e.rs";
    assert_eq!(named(page).collect::<Vec<_>>(), ["a.rs", "b/c.rs"]);
}
