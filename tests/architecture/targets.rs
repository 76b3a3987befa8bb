//! How many programs of tests there are: each links the whole tree of dependencies.

use crate::code::code;
use crate::source::below;

/// The most test targets.
// Set it to 5 once the targets are merged by theme.
const MAX_TARGETS: usize = 49;

/// The most targets that compile a copy of the support folder.
// Assert that there is none once the support is a package.
const MAX_COPIES: usize = 43;

#[test]
fn there_are_few_test_targets() {
    let files = below("tests");
    let is_target = |path: &str| match path.split_once('/') {
        None => true,
        Some((_, rest)) => rest == "main.rs",
    };
    let targets = files.iter().filter(|(path, _)| is_target(path)).count();
    assert!(
        targets <= MAX_TARGETS,
        "tests/ has {targets} targets, not {MAX_TARGETS}"
    );
    assert!(targets > 1, "tests/ has no targets but this one");
}

#[test]
fn no_target_compiles_a_copy_of_the_support() {
    let files = below("tests").into_iter();
    let copies = files.filter(|(path, text)| {
        let is_below = path.starts_with("support/") || path.starts_with("kit/");
        let is_path = |line: &str| line.starts_with("#[path") && line.contains("support");
        let code = code(text);
        let is_declared = code.lines().any(|line| line.trim_end() == "mod support;");
        !is_below && (is_declared || text.lines().any(is_path))
    });
    let copies: Vec<_> = copies.map(|(path, _)| path).collect();
    assert!(
        copies.len() <= MAX_COPIES,
        "{} copies: {copies:?}",
        copies.len()
    );
}
