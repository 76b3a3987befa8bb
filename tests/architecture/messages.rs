//! The messages that the pages explain are messages of the program.
//!
//! A table whose first column is called `message` quotes them in backticks, with `…` for what varies. Text that is
//! not in backticks is from other programs.

use crate::pages::pages;
use crate::source::files;

/// The texts of the program, without the line breaks inside string literals.
fn texts() -> String {
    let mut texts = String::new();
    for file in files().iter().filter(|file| !file.is_test()) {
        let mut lines = file.text.split("\\\n");
        texts.extend(lines.next());
        texts.extend(lines.map(str::trim_start));
    }
    texts
}

/// The first cells of the rows of tables with messages.
fn messages(prose: &str) -> impl Iterator<Item = &str> {
    let tables = prose.split("\n\n");
    let tables = tables.filter(|table| table.trim_start().starts_with("| message |"));
    let rows = tables.flat_map(|table| table.trim_start().lines().skip(2));
    rows.filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
}

/// The code spans of a cell (CommonMark § 6.1), which end with as many backticks as they begin with.
fn spans(cell: &str) -> Vec<&str> {
    let (mut spans, mut rest) = (Vec::new(), cell);
    while let Some(start) = rest.find('`') {
        let text = rest[start..].trim_start_matches('`');
        let mark = &rest[start..rest.len() - text.len()];
        let Some((span, after)) = text.split_once(mark) else {
            break;
        };
        spans.push(span.trim());
        rest = after;
    }
    spans
}

/// The parts of a message between places where the program puts something in.
fn parts(message: &str) -> impl Iterator<Item = &str> {
    let parts = message.split(['…', ';', ':', '(', ')']).map(str::trim);
    parts.filter(|part| part.len() > 3)
}

#[test]
fn every_message_that_a_page_explains_is_in_the_program() {
    let texts = texts();
    let (mut seen, mut missing) = (0, Vec::new());
    for page in pages() {
        let prose = page.prose();
        let quoted = messages(&prose).flat_map(spans);
        for part in quoted.flat_map(parts) {
            seen += 1;
            if !texts.contains(part) {
                missing.push(format!("{}: {part}", page.path));
            }
        }
    }
    assert!(seen > 80, "found only {seen} messages");
    assert!(
        missing.is_empty(),
        "no such message:\n{}",
        missing.join("\n")
    );
}

#[test]
fn messages_are_read_from_tables_alone() {
    let prose = "`x`\n\n| message | b |\n|---|---|\n| `one …; two` or ``the `key` is`` | `c` |\n\n| a |\n|---|\n| `d` |";
    let found: Vec<_> = messages(prose).flat_map(spans).flat_map(parts).collect();
    assert_eq!(found, ["the `key` is"]);
    let parts: Vec<_> = parts("cannot connect: …; is it there?").collect();
    assert_eq!(parts, ["cannot connect", "is it there?"]);
}
