//! The shape of `src/`: which module may use which, and what some of them must not know.

#![allow(clippy::unwrap_used, clippy::panic)]

mod source;

use source::{files, files_of, word};

/// The modules in the order in which a message passes them; each uses itself and earlier ones.
const ORDER: [&str; 11] = [
    "sync",
    "wire",
    "config",
    "net",
    "disk",
    "oauth",
    "upstream",
    "catalog",
    "router",
    "downstream",
    "cli",
];

/// The most lines of a file.
const MAX_LINES: usize = 300;

#[test]
fn a_module_uses_only_itself_and_earlier_ones() {
    let place = |module: &str| ORDER.iter().position(|name| *name == module);
    let mut seen = 0;
    for file in files() {
        let Some(module) = file.module() else {
            continue;
        };
        let at = place(module).unwrap_or_else(|| panic!("src/{module} has no place in the order"));
        for used in file.names() {
            seen += 1;
            let path = &file.path;
            let used_at = place(used)
                .unwrap_or_else(|| panic!("src/{path} uses `{used}`, which has no place"));
            assert!(used_at <= at, "src/{path} uses the later module `{used}`");
        }
    }
    assert!(seen > 50, "found only {seen} uses of modules");
}

#[test]
fn no_path_climbs_out_of_its_module_by_super() {
    for file in files() {
        // The tests within a file are one module deeper.
        let (code, tests) = match file.code.split_once("#[cfg(test)]") {
            Some((code, tests)) => (code, tests),
            None => (file.code.as_str(), ""),
        };
        let climbs = |code: &str, levels: usize| code.contains(&"super::".repeat(levels));
        let depth = file.depth();
        assert!(
            file.module().is_none() || !climbs(code, depth) && !climbs(tests, depth + 1),
            "src/{} leaves its module by `super`; write `crate::…`",
            file.path
        );
    }
}

#[test]
fn the_crate_declares_its_modules_in_that_order() {
    let library = files_of("lib.rs").remove(0);
    let declared: Vec<_> = library.code.split("pub mod ").skip(1).map(word).collect();
    let expected = ORDER.iter().filter(|name| declared.contains(name));
    assert!(declared.len() >= 7, "{declared:?}");
    assert_eq!(declared, expected.copied().collect::<Vec<_>>());
}

#[test]
fn every_file_is_short_and_says_first_what_it_is() {
    let files = files();
    assert!(files.len() > 40, "found only {} files", files.len());
    for file in files {
        let lines = file.text.lines().count();
        assert!(lines <= MAX_LINES, "src/{} has {lines} lines", file.path);
        let header = file.text.strip_prefix("//! ").unwrap_or_default();
        let says = header.lines().next().is_some_and(|line| !line.is_empty());
        assert!(says, "src/{} begins without a header", file.path);
    }
}

/// Panics if a file below one of `places`, tests aside, has one of `words` as a word of its code.
fn assert_absent(places: &[&str], words: &[&str]) {
    for file in places.iter().flat_map(|place| files_of(place)) {
        if file.path.contains("tests") {
            continue;
        }
        let found: Vec<_> = file.words().filter(|word| words.contains(word)).collect();
        assert!(found.is_empty(), "src/{} has {found:?}", file.path);
    }
}

#[test]
fn the_pure_modules_do_no_input_or_output() {
    let pure = ["wire/", "config/filter", "catalog/merge", "catalog/name"];
    let io = [
        "tokio",
        "reqwest",
        "fs",
        "env",
        "net",
        "process",
        "thread",
        "SystemTime",
    ];
    assert_absent(&pure, &io);
}

#[test]
fn the_router_names_no_transport() {
    let transports = [
        "transport",
        "reqwest",
        "http_sse",
        "HttpSse",
        "streamable_http",
        "StreamableHttp",
        "streamable_http_legacy",
        "StreamableHttpLegacy",
        "EventStream",
        "HeaderMap",
    ];
    assert_absent(&["router/"], &transports);
}

#[test]
fn an_upstream_knows_no_public_tool_name() {
    let naming = [
        "public",
        "public_name",
        "public_names",
        "prefix",
        "Prefix",
        "Route",
    ];
    assert_absent(&["upstream/"], &naming);
}

#[test]
fn the_client_side_names_no_upstream() {
    let upstream = ["upstream", "Upstream", "UpstreamName", "Listing", "reqwest"];
    assert_absent(&["downstream/"], &upstream);
}

#[test]
fn globs_are_compiled_in_the_configuration_alone() {
    let holders: Vec<_> = files()
        .into_iter()
        .filter(|file| file.words().any(|word| word == "globset"))
        .map(|file| file.path)
        .collect();
    assert_eq!(holders, ["config/filter.rs"]);
}

#[test]
fn http_is_spoken_by_net_oauth_and_upstream_alone() {
    for file in files() {
        let speaks = file.words().any(|word| word == "reqwest");
        let may = ["net/", "oauth/", "upstream/"]
            .iter()
            .any(|place| file.path.starts_with(place));
        assert!(may || !speaks, "src/{} uses reqwest", file.path);
    }
}

#[test]
fn nothing_prints_to_stdout() {
    // One writer owns it; a line printed elsewhere could break into one of its own.
    for file in files() {
        for printing in ["println", "print", "dbg"] {
            let prints = file.words().any(|word| word == printing);
            assert!(!prints, "src/{} has `{printing}`", file.path);
        }
        let writes = file.words().any(|word| word == "stdout");
        let may = ["cli/", "downstream/"]
            .iter()
            .any(|place| file.path.starts_with(place));
        assert!(may || !writes, "src/{} names stdout", file.path);
    }
}

#[test]
fn commands_write_to_stdout_in_one_place() {
    let files = files_of("cli/").into_iter();
    let writers = files.filter(|file| file.words().any(|word| word == "stdout"));
    let writers: Vec<_> = writers.map(|file| file.path).collect();
    assert_eq!(writers, ["cli/output.rs"]);
}
