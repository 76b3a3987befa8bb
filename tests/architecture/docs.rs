//! The pages name files and items of this project that exist.

use std::path::Path;

use crate::pages::{Page, pages};
use crate::source::{File, files, rust_files};

/// The pages that describe the code. Decisions also name files of other projects, and files that are gone.
fn described() -> impl Iterator<Item = &'static Page> {
    let is_current = |page: &&Page| !page.path.starts_with("docs/decisions/");
    pages().iter().filter(is_current)
}

/// The pieces of a page in backticks.
fn quoted(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// The Rust files that a page names.
fn named_files(prose: &str) -> impl Iterator<Item = &str> {
    quoted(prose).filter(|text| text.ends_with(".rs") && !text.contains([' ', '*', '{', '…']))
}

/// The types that a page names, and their members: `Type`, `Type::member`, `Type::member()`.
fn named_items(prose: &str) -> impl Iterator<Item = &str> {
    let is_item = |text: &&str| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let is_type = text.starts_with(|c: char| c.is_uppercase());
        let is_camel = text.chars().skip(1).any(|c: char| c.is_lowercase());
        let has_more = text.contains("::") || text.chars().skip(1).any(|c: char| c.is_uppercase());
        is_type && is_camel && has_more && text.chars().all(is_part)
    };
    quoted(prose)
        .map(|text| text.trim_end_matches("()"))
        .filter(is_item)
}

/// Returns `true` if `src/` has a type of this name, or a function if the name is in lower case.
fn is_defined(name: &str) -> bool {
    let is_function = name.starts_with(|c: char| c.is_lowercase());
    let defines = |file: &File| {
        let words = file.words();
        let mut pairs = words.windows(2);
        pairs.any(|pair| pair[1] == name && (!is_function || pair[0] == "fn"))
    };
    files().iter().any(defines)
}

#[test]
fn every_file_that_a_page_names_exists() {
    let (mut seen, mut missing) = (0, Vec::new());
    for page in described() {
        for name in named_files(&page.prose()) {
            seen += 1;
            // By its last parts: a table names files below the folder of its row.
            if !rust_files()
                .iter()
                .any(|(path, _)| Path::new(path).ends_with(name))
            {
                missing.push(format!("{}: {name}", page.path));
            }
        }
    }
    assert!(seen > 50, "found only {seen} names of files");
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn every_item_that_the_architecture_names_exists() {
    let pages = described();
    let architecture = pages.filter(|page| {
        let name = page.path.as_str();
        ["docs/architecture.md", "docs/glossary.md"].contains(&name)
    });
    let (mut seen, mut missing) = (0, Vec::new());
    for page in architecture {
        for name in named_items(&page.prose()) {
            seen += 1;
            if !name.split("::").all(is_defined) {
                missing.push(format!("{}: {name}", page.path));
            }
        }
    }
    assert!(seen > 20, "found only {seen} names of items");
    assert!(missing.is_empty(), "no such item:\n{}", missing.join("\n"));
}

#[test]
fn names_are_found_in_a_page() {
    let page = "`a.rs`, `b/c.rs`: `d` and `*.rs`, e.rs, `FooBar`, `Foo::bar()`, `Content-Type`, `PROXY_X`, `Foo`";
    assert_eq!(named_files(page).collect::<Vec<_>>(), ["a.rs", "b/c.rs"]);
    assert_eq!(
        named_items(page).collect::<Vec<_>>(),
        ["FooBar", "Foo::bar"]
    );
}
