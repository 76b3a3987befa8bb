//! The order of the stages: each uses itself and earlier ones.

use crate::code::word;
use crate::source::{begins_a_path, files, files_of};

/// The stages in the order in which a message passes them. Some do not exist yet.
const ORDER: [&str; 15] = [
    "random",
    "sync",
    "wire",
    "protocol",
    "config",
    "net",
    "disk",
    "oauth",
    "access",
    "audit",
    "upstream",
    "catalog",
    "router",
    "downstream",
    "cli",
];

#[test]
fn a_stage_uses_only_itself_and_earlier_ones() {
    let place = |stage: &str| ORDER.iter().position(|name| *name == stage);
    let mut seen = 0;
    for file in files() {
        let Some(stage) = file.stage() else {
            continue;
        };
        let at = place(stage).unwrap_or_else(|| panic!("src/{stage} has no place in the order"));
        for used in file.names() {
            seen += 1;
            let path = &file.path;
            let used_at = place(used)
                .unwrap_or_else(|| panic!("src/{path} uses `{used}`, which has no place"));
            assert!(used_at <= at, "src/{path} uses the later stage `{used}`");
        }
    }
    assert!(seen > 50, "found only {seen} uses of stages");
}

#[test]
fn no_path_climbs_out_of_its_stage_by_super() {
    for file in files() {
        // The tests within a file are one module deeper.
        let (code, tests) = match file.code.split_once("#[cfg(test)]") {
            Some((code, tests)) => (code, tests),
            None => (file.code.as_str(), ""),
        };
        let climbs = |code: &str, levels: usize| code.contains(&"super::".repeat(levels));
        let depth = file.depth();
        assert!(
            file.stage().is_none() || !climbs(code, depth) && !climbs(tests, depth + 1),
            "src/{} leaves its stage by `super`; write `crate::…`",
            file.path
        );
    }
}

#[test]
fn the_crate_declares_its_stages_in_that_order() {
    let library = files_of("lib.rs").remove(0);
    let declared: Vec<_> = library.code.split("pub mod ").skip(1).map(word).collect();
    let expected = ORDER
        .iter()
        .filter(|stage| begins_a_path(&format!("{stage}/")));
    assert!(declared.len() >= 7, "{declared:?}");
    assert_eq!(declared, expected.copied().collect::<Vec<_>>());
}
