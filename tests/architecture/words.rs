//! Words that are absent from some places, because these must not know what the words mean.

use crate::source::{File, begins_a_path, files, files_of};

/// Input, output, and whatever depends on the machine or the time.
const IO: [&str; 9] = [
    "tokio",
    "reqwest",
    "fs",
    "env",
    "net",
    "process",
    "thread",
    "SystemTime",
    "Instant",
];

/// State that other code can change.
const STATE: [&str; 5] = ["static", "Mutex", "RwLock", "Cell", "RefCell"];

/// Modules with functions and plain data. Some do not exist yet.
const PURE: [&str; 8] = [
    "wire/",
    "protocol/",
    "config/filter",
    "catalog/name",
    "catalog/merge",
    "catalog/items",
    "catalog/instructions",
    "catalog/uri_routing",
];

/// Panics if a file below one of `places`, tests aside, has a word for which `is_meant` returns `true`.
fn assert_none(places: &[&str], is_meant: impl Fn(&str) -> bool) {
    for file in places.iter().flat_map(|place| files_of(place)) {
        if file.path.contains("tests") {
            continue;
        }
        // `env!` reads the environment of the compiler.
        let tokens = file.tokens();
        let at_run_time = tokens.windows(2).filter(|pair| pair[1].text != "!");
        let words = at_run_time
            .map(|pair| &pair[0])
            .filter(|token| token.is_word());
        let words = words.map(|token| token.text);
        let found: Vec<_> = words.filter(|word| is_meant(word)).collect();
        assert!(found.is_empty(), "src/{} has {found:?}", file.path);
    }
}

/// Panics if a file below one of `places`, tests aside, has one of `words` as a word of its code.
fn assert_absent(places: &[&str], words: &[&str]) {
    assert_none(places, |word| words.contains(&word));
}

/// Panics unless all files with this word begin with one of `places`.
fn assert_only_in(places: &[&str], word: &str) {
    let has = |file: &&File| file.has_word(word);
    for file in files().iter().filter(has) {
        let may = places.iter().any(|place| file.path.starts_with(place));
        assert!(may, "src/{} has `{word}`", file.path);
    }
}

#[test]
fn pure_modules_do_no_io_and_hold_no_state() {
    let found = PURE.into_iter().filter(|place| begins_a_path(place));
    let found: Vec<_> = found.collect();
    assert!(
        found.len() >= 6,
        "of the pure modules there are only {found:?}"
    );
    assert_none(&found, |word| {
        let is_state = STATE.contains(&word) || word.starts_with("Atomic");
        is_state || IO.contains(&word)
    });
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
fn what_serves_all_clients_knows_none() {
    let clients = ["ClientSession", "Outbox", "InFlight"];
    assert_absent(&["upstream/"], &clients);
    if begins_a_path("router/context/gateway.rs") {
        assert_absent(&["router/context/gateway.rs"], &clients);
    }
    assert_absent(&["router/client/"], &["Gateway"]);
}

#[test]
fn the_client_side_names_no_upstream() {
    let upstream = ["upstream", "Upstream", "UpstreamName", "Listing", "reqwest"];
    assert_absent(&["downstream/"], &upstream);
}

#[test]
fn globs_are_compiled_in_the_configuration_alone() {
    let holders = files().iter().filter(|file| file.has_word("globset"));
    let holders: Vec<_> = holders.map(|file| &file.path).collect();
    assert_eq!(holders, ["config/filter.rs"]);
}

#[test]
fn http_is_spoken_by_net_oauth_and_upstream_alone() {
    assert_only_in(&["net/", "oauth/", "upstream/"], "reqwest");
}

#[test]
fn nothing_prints_to_stdout() {
    // One writer owns stdout. A line from elsewhere could break a line of that writer.
    for printing in ["println", "print", "dbg"] {
        assert_only_in(&[], printing);
    }
    assert_only_in(&["cli/", "downstream/"], "stdout");
}

#[test]
fn commands_write_to_stdout_in_one_place() {
    let files = files_of("cli/").into_iter();
    let writers = files.filter(|file| file.has_word("stdout"));
    let writers: Vec<_> = writers.map(|file| &file.path).collect();
    assert_eq!(writers, ["cli/output.rs"]);
}
