//! Conduct of code: no task is lost, no reference is counted, and a method that reads changes nothing.

use std::collections::BTreeMap;

use crate::circles::source;
use crate::code::{Token, closing, is_at};
use crate::items::items;
use crate::ratchet::{Ratchet, assert_exact};
use crate::sizes::body;
use crate::tree::Module;

/// Files that spawn tasks outside of the tracker: how many, and why each task still ends.
const SPAWNS: [(&str, usize, &str); 7] = [
    (
        "cli/watch.rs",
        1,
        "one look at a file, awaited where it is begun",
    ),
    ("disk/mod.rs", 1, "blocking work, awaited where it is begun"),
    (
        "downstream/client_connection.rs",
        1,
        "the writer of a client; its end waits for it",
    ),
    (
        "net/clients.rs",
        1,
        "reads certificates, awaited where it is begun",
    ),
    ("oauth/login/browser.rs", 1, "awaited where it is begun"),
    (
        "oauth/login_flow/mod.rs",
        1,
        "waits for a person; shutdown does not wait for one",
    ),
    (
        "upstream/transport/streamable_http_legacy.rs",
        1,
        "answers a ping on the stream of a call, within the deadlines of a notification",
    ),
];

/// The number of tasks of a file that are neither on the tracker nor in a guard.
#[rustfmt::skip]
const UNTRACKED: &Ratchet = &[
];

/// The number of times that a stage decides by the reference count of an `Arc`.
#[rustfmt::skip]
const COUNTED_REFERENCES: &Ratchet = &[
];

/// The number of changes in a method whose name says that it only reads.
#[rustfmt::skip]
const CHANGES_BY_READING: &Ratchet = &[
];

/// Beginnings of the names of methods that only read.
const READING: [&str; 7] = ["is_", "has_", "last_", "waits_", "can_", "may_", "needs_"];

/// Methods that change something.
const CHANGING: [&str; 17] = [
    "borrow_mut",
    "clear",
    "extend",
    "fetch_add",
    "fetch_sub",
    "insert",
    "notify_one",
    "notify_waiters",
    "push",
    "push_back",
    "remove",
    "send",
    "send_if_modified",
    "send_modify",
    "send_replace",
    "spawn",
    "store",
];

#[test]
fn every_task_is_tracked_or_guarded() {
    let mut found = BTreeMap::new();
    for module in &source().tree.modules {
        let spawns = spawns(&module.tokens);
        let listed = SPAWNS.iter().find(|(path, ..)| *path == module.file.path);
        let number = listed.map_or(0, |(_, number, _)| *number);
        let path = &module.file.path;
        assert!(spawns >= number, "src/{path} has only {spawns} of SPAWNS");
        found.insert(path.clone(), spawns - number);
    }
    assert_exact("UNTRACKED", UNTRACKED, &found, |path| {
        format!("  src/{path}: spawn it on the tracker, or keep it in an AbortOnDropHandle")
    });
    for (path, ..) in SPAWNS {
        assert!(
            found.contains_key(path),
            "SPAWNS has src/{path}, which is gone"
        );
    }
}

/// Counts the tasks that begin on no tracker and in no guard.
fn spawns(tokens: &[Token<'_>]) -> usize {
    let imports = items(tokens).imports;
    let is_spawn = |at: &usize| {
        let text = tokens[*at].text;
        let is_called = text.starts_with("spawn") && is_at(tokens, at + 1, &["("]);
        let is_imported = || imports.iter().any(|import| import.name == text);
        match before(tokens, *at) {
            "." | "fn" => false,
            "::" => is_called,
            _ => is_called && is_imported(),
        }
    };
    let is_guarded = |at: &usize| {
        let is_path = |text: &str| text == "::" || text.starts_with(char::is_alphabetic);
        let open = tokens[..*at].iter().rposition(|token| !is_path(token.text));
        let guard = open.and_then(|open| open.checked_sub(3));
        guard.is_some_and(|at| is_at(tokens, at, &["AbortOnDropHandle", "::", "new", "("]))
    };
    // A handle of the runtime spawns as a tracker does.
    let is_handle = |at: &usize| is_at(tokens, *at, &["Handle", "::", "current"]);
    let is_loose = |at: &usize| is_spawn(at) && !is_guarded(at) || is_handle(at);
    (0..tokens.len()).filter(is_loose).count()
}

fn before<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    at.checked_sub(1).map_or("", |at| tokens[at].text)
}

#[test]
fn nothing_is_decided_by_counting_references() {
    let mut found = BTreeMap::new();
    for module in &source().tree.modules {
        let counts = ["strong_count", "weak_count"];
        let counts = module
            .tokens
            .iter()
            .filter(|token| counts.contains(&token.text));
        *found.entry(stage(module)).or_default() += counts.count();
    }
    assert_exact("COUNTED_REFERENCES", COUNTED_REFERENCES, &found, |stage| {
        format!("  src/{stage}/: hold a guard instead, and wait until it is dropped")
    });
}

fn stage(module: &Module<'_>) -> String {
    module.path.first().map_or("lib", |stage| *stage).to_owned()
}

#[test]
fn a_method_that_reads_changes_nothing() {
    let (mut found, mut seen) = (BTreeMap::new(), 0);
    for module in &source().tree.modules {
        for (name, changes) in readers(&module.tokens) {
            seen += 1;
            let name = format!("{}: {name}", module.file.path);
            found.insert(name, changes.len());
        }
    }
    assert!(seen > 50, "found only {seen} methods that read");
    assert_exact("CHANGES_BY_READING", CHANGES_BY_READING, &found, |_| {
        "  it is called as if it only read".to_owned()
    });
}

/// The methods whose names say that they read, with what changes something in each.
fn readers<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut readers = Vec::new();
    for at in 0..tokens.len() {
        let name = tokens.get(at + 1).map_or("", |name| name.text);
        let reads = READING.iter().any(|beginning| name.starts_with(beginning));
        let Some(open) = body(tokens, at).filter(|_| reads && tokens[at].text == "fn") else {
            continue;
        };
        let signature: Vec<_> = tokens[at + 2..open]
            .iter()
            .map(|token| token.text)
            .collect();
        let body = &tokens[open..closing(tokens, open)];
        if signature.starts_with(&["(", "&", "mut", "self"]) {
            readers.push((name, vec!["&mut self"]));
        } else if signature.starts_with(&["(", "&", "self"]) {
            readers.push((name, changes(body)));
        }
    }
    readers
}

/// The tokens that change something in the body of a method: calls, and assignments to fields.
fn changes<'a>(body: &[Token<'a>]) -> Vec<&'a str> {
    let is_change = |at: &usize| {
        let (text, of_something) = (body[*at].text, before(body, *at) == ".");
        let is_called = is_at(body, at + 1, &["("]) && CHANGING.contains(&text);
        let is_taken = text == "take" && is_at(body, at + 1, &["(", ")"]);
        let is_compared = ["=", ">"].iter().any(|next| is_at(body, at + 2, &[next]));
        let is_assigned = is_at(body, at + 1, &["="]) && !is_compared;
        of_something && (is_called || is_taken || is_assigned)
    };
    let places = (0..body.len()).filter(is_change);
    places.map(|at| body[at].text).collect()
}

#[test]
fn loose_tasks_and_changing_readers_are_found() {
    let code = "use c::spawn_blocking; fn a() { tokio::spawn(b); tasks.spawn(c); AbortOnDropHandle::new(tokio::spawn(d)); \
                spawn_blocking(e); spawn(h) } fn spawn(f: g) {}";
    assert_eq!(spawns(&crate::code::tokens(code)), 2);
    let code = "fn is_a(&self) -> b { self.c.notify_one(); self.d == self.e; self.f = g }
                fn last_h(&mut self) {} fn is_i(j: k) { l.push(m) } fn has_n(&self) { o.take(3) }";
    let found = readers(&crate::code::tokens(code));
    let expected = [
        ("is_a", vec!["notify_one", "f"]),
        ("last_h", vec!["&mut self"]),
        ("has_n", vec![]),
    ];
    assert_eq!(found, expected);
}
