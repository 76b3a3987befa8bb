//! Tests that a splice changes the given ranges and no other byte.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn keys(object: &str) -> Vec<(String, String)> {
    members(object.as_bytes())
        .map(|m| {
            (
                m.key().into_owned(),
                String::from_utf8_lossy(m.value()).into_owned(),
            )
        })
        .collect()
}

fn spliced(source: &str, edit: impl FnOnce(&mut Splice)) -> String {
    let mut splice = Splice::new(source.as_bytes());
    edit(&mut splice);
    String::from_utf8(splice.finish()).unwrap()
}

#[test]
fn members_are_found_behind_nested_values() {
    assert_eq!(
        keys(r#" { "a" : [1,{"b":"}"}] , "c\"":"\\" ,"d":-0.0e1,"e":null, "a":{} } "#),
        [
            ("a", r#"[1,{"b":"}"}]"#),
            ("c\"", r#""\\""#),
            ("d", "-0.0e1"),
            ("e", "null"),
            ("a", "{}"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    for none in [
        "{}",
        " { } ",
        "[]",
        "[{\"a\":1}]",
        "\"{\"",
        "3",
        "",
        "{",
        "{\"a",
        "{\"a\":",
    ] {
        assert!(keys(none).len() <= 1, "{none}");
    }
}

#[test]
fn members_are_added_at_the_front() {
    let add = |source: &str| {
        spliced(source, |s| {
            s.add_members(0..source.len(), "\"n\":0");
        })
    };
    assert_eq!(add("{}"), "{\"n\":0}");
    assert_eq!(add(" { } "), " {\"n\":0 } ");
    assert_eq!(add("{ \"a\":1}"), "{\"n\":0, \"a\":1}");
    for other in ["null", "[]", "[{}]", "\"{\"", "7", ""] {
        assert_eq!(add(other), other);
    }
}

#[test]
fn removed_members_take_one_comma_with_them() {
    let without = |source: &str| {
        spliced(source, |s| {
            s.remove_members(0..source.len(), |m| m.key().starts_with('x'));
        })
    };
    assert_eq!(without(r#"{"x":1}"#), "{}");
    assert_eq!(without(r#"{"x":1,"x2":[2]}"#), "{}");
    assert_eq!(without(r#"{"x":1,"a":2}"#), r#"{"a":2}"#);
    assert_eq!(without(r#"{"a":2 , "x":1}"#), r#"{"a":2}"#);
    assert_eq!(
        without(r#"{"a":1,"x":1,"x":2,"b":2,"x":3}"#),
        r#"{"a":1,"b":2}"#
    );
    assert_eq!(without(r#"{"a":1}"#), r#"{"a":1}"#);
}

#[test]
fn invalid_ranges_are_ignored() {
    assert_eq!(
        spliced("abc", |s| {
            s.replace(2..9, &b"x"[..]);
        }),
        "abc"
    );
    assert_eq!(
        spliced("abc", |s| {
            s.replace(0..2, &b"x"[..]).replace(1..3, &b"y"[..]);
        }),
        "xc"
    );
    for (start, end) in [(2, 1), (9, 1)] {
        let out = spliced("abc", |s| {
            s.replace(start..end, &b"x"[..]);
        });
        assert_eq!(out, "abc");
    }
}

/// JSON values of every kind, with unusual spacing.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1E400".to_owned()),
        Just("-0.0".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| Value::from(s).to_string()),
        Just(r#""\ud800\/é\\\"""#.to_owned()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|v| format!("[ {} ]", v.join(" ,\n"))),
            prop::collection::vec((any::<String>(), inner), 0..5).prop_map(|v| object(&v)),
        ]
    })
}

fn object(members: &[(String, String)]) -> String {
    let written: Vec<_> = members
        .iter()
        .map(|(k, v)| format!("{}\t: {v}", Value::from(k.as_str())))
        .collect();
    format!("{{ {} }}", written.join(",\r\n "))
}

proptest! {
    #[test]
    fn every_member_is_found_as_written(expected in prop::collection::vec((any::<String>(), json()), 0..6)) {
        prop_assert_eq!(keys(&object(&expected)), expected);
    }

    #[test]
    fn bytes_outside_a_splice_survive(
        expected in prop::collection::vec((any::<String>(), json()), 1..6),
        index in any::<prop::sample::Index>(),
        new in json(),
    ) {
        let source = object(&expected);
        let span = members(source.as_bytes()).nth(index.index(expected.len())).unwrap().span();
        let out = spliced(&source, |s| { s.replace(span.clone(), new.clone().into_bytes()); });
        prop_assert_eq!(&out[..span.start], &source[..span.start]);
        prop_assert_eq!(&out[span.start..span.start + new.len()], &new);
        prop_assert_eq!(&out[span.start + new.len()..], &source[span.end..]);
    }

    #[test]
    fn removing_leaves_the_others_as_written(
        all in prop::collection::vec((any::<String>(), json(), any::<bool>()), 0..8),
    ) {
        let source = object(&all.iter().map(|(k, v, _)| (k.clone(), v.clone())).collect::<Vec<_>>());
        let mut flags = all.iter().map(|(_, _, remove)| *remove);
        let out = spliced(&source, |s| { s.remove_members(0..source.len(), |_| flags.next().unwrap()); });
        let kept: Vec<_> = all.into_iter().filter(|(_, _, r)| !r).map(|(k, v, _)| (k, v)).collect();
        prop_assert_eq!(keys(&out), kept);
    }

    #[test]
    fn no_text_makes_the_scanner_panic_or_hang(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = members(text.as_bytes()).map(|m| m.key().len() + m.value().len()).sum::<usize>();
        let _ = members(&bytes).map(|m| m.key().len() + m.value().len()).sum::<usize>();
    }
}
