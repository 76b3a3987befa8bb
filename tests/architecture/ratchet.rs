//! Lists of today's exceptions to a rule, each with a number that can only go down.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Exceptions to a rule: the name of a part, and how many it has.
pub(crate) type Ratchet = [(&'static str, usize)];

/// Panics unless the list has exactly what was found, and prints the list as it must be.
///
/// `explain` returns what breaks the rule, for the name of an exception.
pub(crate) fn assert_exact(
    list: &str,
    listed: &Ratchet,
    found: &BTreeMap<String, usize>,
    explain: impl Fn(&str) -> String,
) {
    let report = report(list, listed, found, explain);
    assert!(report.is_empty(), "{report}");
}

fn report(
    list: &str,
    listed: &Ratchet,
    found: &BTreeMap<String, usize>,
    explain: impl Fn(&str) -> String,
) -> String {
    let mut report = String::new();
    let number = |name: &str| listed.iter().find(|(listed, _)| *listed == name);
    for (name, found) in found {
        let listed = number(name).map_or(0, |(_, number)| *number);
        if *found > listed {
            let explained = explain(name);
            writeln!(
                report,
                "{list}: {name} has {found}, listed are {listed}\n{explained}"
            )
            .unwrap();
        }
    }
    for (name, listed) in listed {
        let found = found.get(*name).copied().unwrap_or(0);
        if found < *listed {
            writeln!(
                report,
                "{list}: {name} has only {found}, listed are {listed}"
            )
            .unwrap();
        }
    }
    if !report.is_empty() {
        writeln!(
            report,
            "The list as it must be (a number goes up only when files move):"
        )
        .unwrap();
        writeln!(report, "#[rustfmt::skip]\nconst {list}: &Ratchet = &[").unwrap();
        for (name, number) in found.iter().filter(|(_, number)| **number > 0) {
            writeln!(report, "    ({name:?}, {number}),").unwrap();
        }
        writeln!(report, "];").unwrap();
    }
    report
}

#[test]
fn only_the_exact_list_passes() {
    let found = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
    let report = |listed| report("LIST", listed, &found, |name| format!("see {name}"));
    assert_eq!(report(&[("a", 2), ("b", 1)]), "");
    let more = report(&[("a", 2)]);
    assert!(
        more.contains("LIST: b has 1, listed are 0\nsee b\n"),
        "{more}"
    );
    let fewer = report(&[("a", 3), ("b", 1), ("c", 1)]);
    assert!(
        fewer.contains("LIST: a has only 2, listed are 3\n"),
        "{fewer}"
    );
    assert!(
        fewer.contains("LIST: c has only 0, listed are 1\n"),
        "{fewer}"
    );
    assert!(
        fewer.ends_with("= &[\n    (\"a\", 2),\n    (\"b\", 1),\n];\n"),
        "{fewer}"
    );
}
