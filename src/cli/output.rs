//! The output of commands: messages on stderr, results on stdout.
//!
//! Not used while serving: stdout belongs to the client then.

use std::io::{self, Write as _};

/// Writes a message for the user to stderr.
pub(super) fn eprint_line(text: &str) {
    eprintln!("{text}");
}

/// Writes the result of a command to stdout.
pub(super) fn print_result(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    // A reader that has closed stdout needs no more.
    let _ = written.and_then(|()| stdout.flush());
}

/// Replaces control characters in a server's text, which is for a terminal.
pub(super) fn without_control_characters(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(plain).collect()
}

/// Returns a number with its noun, as in "1 tool" and "12 tools".
pub(super) fn format_count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
