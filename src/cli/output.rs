//! What commands say to a person, on stderr, and what they are asked for, on stdout. While serving,
//! stdout belongs to the client, and nothing here is used.

use std::io::{self, Write as _};

/// Says something to the person.
pub(super) fn eprint_line(text: &str) {
    eprintln!("{text}");
}

/// Gives what was asked for.
pub(super) fn print_result(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    // Who closed it wants no more.
    let _ = written.and_then(|()| stdout.flush());
}

/// What a server wrote, fit for a terminal: without control characters.
pub(super) fn without_control_characters(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(plain).collect()
}

/// As in "1 tool" and "12 tools".
pub(super) fn format_count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
