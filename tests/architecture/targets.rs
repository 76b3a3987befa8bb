//! How many programs of tests there are: each links the whole tree of dependencies.

use crate::code::code;
use crate::source::below;

/// The most test targets.
const MAX_TARGETS: usize = 5;

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

/// What they share is the package `testkit`, which is compiled once.
#[test]
fn no_target_compiles_a_copy_of_the_support() {
    let files = below("tests").into_iter();
    let copies = files.filter(|(path, text)| {
        let is_path = |line: &str| {
            let mut folders = ["support", "kit"].into_iter();
            line.starts_with("#[path") && folders.any(|folder| line.contains(folder))
        };
        let code = code(text);
        let is_declared = code.lines().any(|line| line.trim_end() == "mod support;");
        !path.starts_with("kit/") && (is_declared || text.lines().any(is_path))
    });
    let copies: Vec<_> = copies.map(|(path, _)| path).collect();
    assert!(copies.is_empty(), "copies: {copies:?}");
}
