//! The test programs, each of which links all dependencies, and the names of their tests.

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

/// Targets share the package `testkit`, which is compiled once.
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

/// The longest name of a function of a test, in characters.
const MAX_NAME: usize = 60;

#[test]
fn names_of_tests_are_short() {
    let mut seen = 0;
    for (path, text) in below("tests") {
        let code = code(&text);
        for name in code.split("fn ").skip(1) {
            let end = name.find(|it: char| it != '_' && !it.is_alphanumeric());
            let name = &name[..end.unwrap_or(name.len())];
            seen += 1;
            assert!(name.len() <= MAX_NAME, "tests/{path} has `{name}`");
        }
    }
    assert!(seen > 500, "found only {seen} functions");
}
