//! The tables in `docs/reliability.md`.

use std::fmt::{Display, Write};

use super::{fault, operation};
use testkit::upstream::Kind;

/// Formats a table with one row for each fault that has a cell.
pub(crate) fn table<T: Display>(
    cell: impl Fn(fault::Fault, operation::Operation) -> Option<T>,
) -> String {
    let mut table = String::from("| the server |");
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

/// Reads the table of servers of this kind from the page.
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

/// The comments before and after the table.
fn markers(kind: Kind) -> (String, String) {
    (
        format!("<!-- faults: {kind:?} -->"),
        format!("<!-- end: {kind:?} -->"),
    )
}
