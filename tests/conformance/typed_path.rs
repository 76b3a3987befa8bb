//! Typed structures change messages; splicing does not.
//!
//! The counts are those of `docs/decisions/verbatim-messages.md`.
use std::collections::BTreeMap;

use bytes::Bytes;
use mcp_manifold::wire::{Line, Message};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The effect of typed structures on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The bytes are unchanged.
    Identical,
    /// The bytes differ, but every value is the same; members may be in another order.
    SameValues,
    /// A value or a member was lost, added or changed.
    Changed,
    /// The message is rejected.
    Refused,
}
use Fate::{Changed, Identical, Refused, SameValues};

/// A message, what is special about it, and the effect of typed structures.
struct Case {
    expected: Fate,
    what: &'static str,
    text: &'static str,
    is_from_client: bool,
}

fn cases() -> Vec<Case> {
    let mut is_from_client = true;
    let mut cases = Vec::new();
    for line in include_str!("../fixtures/typed_path.txt").lines() {
        is_from_client &= line != "# From the upstream";
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [fate, what, text] = line.splitn(3, ": ").collect::<Vec<_>>().try_into().unwrap();
        let fates = [
            ("identical", Identical),
            ("same values", SameValues),
            ("changed", Changed),
            ("refused", Refused),
        ];
        let (_, expected) = fates.into_iter().find(|(word, _)| *word == fate).unwrap();
        cases.push(Case {
            expected,
            what,
            text,
            is_from_client,
        });
    }
    assert!(cases.iter().any(|case| !case.is_from_client));
    cases
}

fn fate<T: DeserializeOwned + Serialize>(text: &str) -> Fate {
    let Ok(message) = serde_json::from_str::<T>(text) else {
        return Refused;
    };
    let printed = serde_json::to_string(&message).unwrap();
    match printed == text {
        true => Identical,
        false if canonical(&printed) == canonical(text) => SameValues,
        false => Changed,
    }
}

/// A canonical text of the values: members sorted, strings decoded, numbers as exact decimals.
fn canonical(text: &str) -> String {
    if let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        let members = object
            .iter()
            .map(|(key, value)| (key, canonical(value.get())));
        format!("object {:?}", members.collect::<Vec<_>>())
    } else if let Ok(array) = serde_json::from_str::<Vec<&RawValue>>(text) {
        let items = array.iter().map(|item| canonical(item.get()));
        format!("{:?}", items.collect::<Vec<_>>())
    } else if let Ok(string) = serde_json::from_str::<String>(text) {
        format!("{string:?}")
    } else if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        decimal(text)
    } else {
        text.to_owned()
    }
}

/// A number's digits without zeros at either end, and its exponent.
fn decimal(number: &str) -> String {
    let number = number.to_ascii_lowercase();
    let (mantissa, exponent) = number.split_once('e').unwrap_or((&number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_end_matches('0');
    let shift = (digits.len() - significant.len()) as i64 - fraction.len() as i64;
    let digits = significant.trim_start_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    format!(
        "{sign}{digits}e{}",
        exponent.parse::<i64>().unwrap() + shift
    )
}

#[test]
fn typed_structures_preserve_few_messages() {
    let mut counts = BTreeMap::new();
    for case in cases() {
        let found = match case.is_from_client {
            true => fate::<ClientJsonRpcMessage>(case.text),
            false => fate::<ServerJsonRpcMessage>(case.text),
        };
        assert_eq!(found, case.expected, "{}", case.what);
        *counts.entry(found).or_insert(0) += 1;
    }
    let expected = [
        (Identical, 9),
        (SameValues, 13),
        (Changed, 19),
        (Refused, 5),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn splicing_preserves_every_message() {
    for Case { what, text, .. } in cases() {
        let message = Message::parse(text).unwrap();
        assert_eq!(message.bytes(), text, "{what}");
        let Some(id) = message.id() else {
            assert_eq!(Line::whole(message.bytes().clone()).into_bytes(), text);
            continue;
        };
        // Sent with an id of the proxy, returned with the original id.
        let renamed = Line::with_id(&message, Bytes::from_static(b"4242")).into_bytes();
        assert_ne!(renamed, text);
        let renamed = Message::parse(renamed).unwrap();
        let line = Line::with_id(&renamed, id).strip_line_breaks();
        assert_eq!(line.into_bytes(), text, "{what}");
    }
}

#[test]
fn canonical_form_compares_values_exactly() {
    for (a, b) in [
        ("0.10", "1e-1"),
        ("-0", "-0.0"),
        ("1E5", "100000.0"),
        (r#"{"a":1,"b":"\u00e9"}"#, r#"{"b":"é","a":1}"#),
    ] {
        assert_eq!(canonical(a), canonical(b));
    }
    for (a, b) in [
        ("18446744073709551617", "1.8446744073709552e19"),
        ("[]", "{}"),
        ("10", "1"),
        ("-1", "1"),
        ("null", "\"null\""),
    ] {
        assert_ne!(canonical(a), canonical(b));
    }
}
