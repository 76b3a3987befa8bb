//! The length of files and functions.

use crate::circles::source;
use crate::code::{Token, closing};
use crate::source::files;

/// The most lines of a file.
const MAX_LINES: usize = 300;

/// The most lines of a function, tests aside.
const MAX_FUNCTION_LINES: usize = 60;

#[test]
fn every_file_is_short_and_begins_with_a_header() {
    let files = files();
    assert!(files.len() > 40, "found only {} files", files.len());
    for file in files {
        let lines = file.text.lines().count();
        assert!(lines <= MAX_LINES, "src/{} has {lines} lines", file.path);
        let header = file.text.strip_prefix("//! ").unwrap_or_default();
        let says = header.lines().next().is_some_and(|line| !line.is_empty());
        assert!(says, "src/{} begins without a header", file.path);
    }
}

#[test]
fn every_function_is_short() {
    let mut seen = 0;
    for module in &source().tree.modules {
        for (name, lines) in functions(&module.tokens) {
            seen += 1;
            let path = &module.file.path;
            assert!(
                lines <= MAX_FUNCTION_LINES,
                "src/{path}: `{name}` has {lines} lines"
            );
        }
    }
    assert!(seen > 1000, "found only {seen} functions");
}

/// The names of all functions with a body, and their numbers of lines.
fn functions<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    let names = tokens.windows(2).enumerate();
    let names = names.filter(|(_, pair)| pair[0].text == "fn" && pair[1].is_word());
    let functions = names.filter_map(|(at, pair)| {
        let open = body(tokens, at)?;
        let lines = tokens[closing(tokens, open)].line - pair[0].line + 1;
        Some((pair[1].text, lines))
    });
    functions.collect()
}

/// The place of the brace that opens the body of the function whose `fn` stands at `start`.
pub(crate) fn body(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            "{" => return Some(at),
            ";" => return None,
            "(" | "[" => at = closing(tokens, at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[test]
fn the_lines_of_a_function_are_counted() {
    let code = "fn a(b: [u8; 2]) -> c\nwhere\n d: e,\n{\n f\n}\nfn g();\nfn h() { i }";
    let tokens = crate::code::tokens(code);
    assert_eq!(functions(&tokens), [("a", 6), ("h", 1)]);
}
