//! The matrix as the page has it.

use std::fmt::{Display, Write};

use super::{fault, operation};
use testkit::upstream::Kind;

/// A table of what `cell` gives, a row a fault that has any.
pub(crate) fn table<T: Display>(
    cell: impl Fn(fault::Fault, operation::Operation) -> Option<T>,
) -> String {
    let mut table = String::from("| the upstream |");
    for (.., words) in operation::ALL {
        write!(table, " {words} |").unwrap();
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(operation::ALL.len()));
    table.push('\n');
    for (fault, _, words) in fault::ALL {
        let cells = operation::ALL.map(|(operation, ..)| cell(fault, operation));
        if cells.iter().all(Option::is_none) {
            continue;
        }
        write!(table, "| {words} |").unwrap();
        for cell in cells {
            match cell {
                Some(cell) => write!(table, " {cell} |").unwrap(),
                None => table.push_str(" |"),
            }
        }
        table.push('\n');
    }
    table
}

/// What stands on the page about upstreams of this kind.
pub(crate) fn stored(kind: Kind) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (begin, end) = markers(kind);
    let (_, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no `{begin}`"));
    let (table, _) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("no `{end}`"));
    table.trim_start().to_owned()
}

/// The comments around it.
fn markers(kind: Kind) -> (String, String) {
    (
        format!("<!-- faults: {kind:?} -->"),
        format!("<!-- end: {kind:?} -->"),
    )
}
