//! Splices: members are found as written, and all other bytes stay unchanged.

use std::ops::Range;

use mcp_manifold::wire::splice::{decode, last_member, members};
use mcp_manifold::wire::{Member, Splice};

use super::oracle::{self, Entry};
use super::split_control;

/// Replacement values.
const VALUES: [&str; 6] = [
    "null",
    "-0.0",
    "\"a\\\"}\"",
    "{}",
    "[1,{\"b\":[]}]",
    "{\"a\":{\"b\":1}}",
];

/// The first line selects changes of the text in the rest. It has a byte per member, or a byte per
/// end of a range.
pub(crate) fn splice(data: &[u8]) {
    let (control, text) = split_control(data);
    check_scan(text);
    check_ranges(control, text);
    if oracle::is_json(text) {
        check_object(text, 4);
        check_edits(control, text);
    }
}

/// Asserts that the members of any text are within it, in order, and finite.
fn check_scan(text: &[u8]) {
    let mut at = 0;
    for member in members(text) {
        let (key, value) = (member.quoted_key(), member.span());
        let start = key.as_ptr().addr() - text.as_ptr().addr();
        assert!(at <= start && start + key.len() <= value.start);
        assert_eq!(member.value(), &text[value.clone()]);
        assert!(value.end > at, "no member is empty");
        at = value.end;
        let _ = (member.key(), decode(member.value()));
    }
}

/// Asserts that valid ranges are replaced, and invalid or overlapping ones ignored.
fn check_ranges(control: &[u8], text: &[u8]) {
    let mut edits: Vec<(Range<usize>, &[u8])> = Vec::new();
    for (ends, value) in control.chunks_exact(2).zip(VALUES.iter().cycle()) {
        edits.push((ends[0].into()..ends[1].into(), value.as_bytes()));
    }
    let mut splice = Splice::new(text);
    for (range, value) in &edits {
        splice.replace(range.clone(), *value);
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut expected, mut rest) = (Vec::new(), 0);
    for (range, value) in edits {
        if rest <= range.start && range.start <= range.end && range.end <= text.len() {
            expected.extend_from_slice(&text[rest..range.start]);
            expected.extend_from_slice(value);
            rest = range.end;
        }
    }
    expected.extend_from_slice(&text[rest..]);
    assert_eq!(splice.finish(), expected);
}

/// Asserts that the members of a JSON text, at every depth, are those that serde_json finds.
fn check_object(text: &[u8], depth: usize) {
    let object = oracle::object(text).unwrap_or_default();
    let found: Vec<_> = members(text).collect();
    assert_eq!(found.len(), object.len());
    for (member, (key, value)) in found.iter().zip(&object) {
        check_member(member, key, value);
        let same = object.iter().rfind(|(other, _)| other == key);
        if let (Ok(key), Some((_, value))) = (std::str::from_utf8(key), same) {
            assert_eq!(last_member(text, key).expect("it is there").value(), *value);
        }
        if depth > 0 {
            check_object(value, depth - 1);
        }
    }
    assert!(last_member(text, "\0never written").is_none());
    if text == text.trim_ascii() {
        let expected = serde_json::from_slice::<String>(text).ok();
        assert_eq!(decode(text).as_deref(), expected.as_deref());
    }
}

fn check_member(member: &Member<'_>, key: &[u8], value: &[u8]) {
    assert_eq!(member.value(), value);
    assert_eq!(oracle::string(member.quoted_key()), key);
    match std::str::from_utf8(key) {
        Ok(key) => assert_eq!(member.key(), key),
        Err(_) => assert_eq!(member.key().as_bytes(), member.quoted_key()),
    }
}

/// Replaces, removes and adds members at once.
fn check_edits(control: &[u8], text: &[u8]) {
    let Some(object) = oracle::object(text) else {
        let mut splice = Splice::new(text);
        splice.add_members(0..text.len(), "\"a\":1");
        splice.remove_members(0..text.len(), |_| true);
        assert_eq!(splice.finish(), text, "there is no object to change");
        return;
    };
    let choice = |at: usize| control.get(at).copied().unwrap_or_default();
    let replaced = |at| VALUES[usize::from(choice(at) / 4) % VALUES.len()];
    let mut splice = Splice::new(text);
    let mut expected: Vec<Entry<'_>> = Vec::new();
    for (at, (member, (key, value))) in members(text).zip(object).enumerate() {
        match choice(at) % 4 {
            1 => {
                splice.replace(member.span(), replaced(at).as_bytes());
                expected.push((key, replaced(at).as_bytes()));
            }
            2 => {}
            _ => expected.push((key, value)),
        }
    }
    let mut at = 0..;
    splice.remove_members(0..text.len(), |_| {
        at.next().is_some_and(|at| choice(at) % 4 == 2)
    });
    let count = at.start;
    // An existing member must stay.
    if choice(count) % 2 == 1 && (count == 0 || !expected.is_empty()) {
        splice.add_members(0..text.len(), "\"x\":[ ],\"y\":{\"x\":1}");
        let added: [Entry<'_>; 2] = [(b"x".to_vec(), b"[ ]"), (b"y".to_vec(), b"{\"x\":1}")];
        expected.splice(0..0, added);
    }
    let out = splice.finish();
    let found = oracle::object(&out);
    assert_eq!(found, Some(expected), "{}", String::from_utf8_lossy(&out));
}
