//! The comments and literals of Rust text.

use crate::code::comment_or_literal;

/// The purpose of a comment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `//!`, the header of a file.
    Header,
    /// `///`, the documentation of an item.
    Documentation,
    /// `//`, a note to the reader of the code.
    Note,
}

/// Comments of one kind on consecutive lines.
#[derive(Debug, PartialEq)]
pub(crate) struct Comment {
    pub(crate) kind: Kind,
    /// The first line, counted from 1.
    pub(crate) line: usize,
    /// The lines without their markers.
    pub(crate) text: String,
}

/// Returns the comments and literals in `text`, each with its line.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut rest, mut line, mut after_word) = (Vec::new(), text, 1, false);
    while let Some(c) = rest.chars().next() {
        let length = comment_or_literal(rest, after_word);
        let (part, after) = rest.split_at(length.max(c.len_utf8()));
        if length > 0 {
            found.push((line, part));
        }
        after_word = c.is_alphanumeric() || c == '_';
        line += part.matches('\n').count();
        rest = after;
    }
    found
}

/// Returns the line comments in `text`.
pub(crate) fn comments(text: &str) -> Vec<Comment> {
    let (mut found, mut last_line) = (Vec::<Comment>::new(), 0);
    let parts = parts(text).into_iter();
    for (line, part) in parts.filter(|(_, part)| part.starts_with("//")) {
        let (kind, text) = kind(part);
        match found.last_mut() {
            Some(comment) if comment.kind == kind && last_line + 1 == line => {
                comment.text.push('\n');
                comment.text.push_str(text);
            }
            _ => found.push(Comment {
                kind,
                line,
                text: text.to_owned(),
            }),
        }
        last_line = line;
    }
    found
}

/// Returns the literals in `text`, each with its line.
pub(crate) fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut parts = parts(text);
    parts.retain(|(_, part)| !part.starts_with('/'));
    parts
}

/// The kind of a comment, and its text.
fn kind(comment: &str) -> (Kind, &str) {
    let markers = [
        ("//!", Kind::Header),
        ("///", Kind::Documentation),
        ("//", Kind::Note),
    ];
    let marked = markers
        .iter()
        .find_map(|(marker, kind)| Some((*kind, comment.strip_prefix(marker)?)));
    let (kind, text) = marked.unwrap();
    (kind, text.trim())
}

#[test]
fn consecutive_comments_of_a_kind_are_one() {
    let text = "//! A\n//! b.\n\n/// C\nfn d() { // e\n  // f\n  \"// g\" }\n  // h\n/// i";
    let found: Vec<_> = comments(text)
        .into_iter()
        .map(|comment| (comment.kind, comment.line, comment.text))
        .collect();
    let expected = [
        (Kind::Header, 1, "A\nb."),
        (Kind::Documentation, 4, "C"),
        (Kind::Note, 5, "e\nf"),
        (Kind::Note, 8, "h"),
        (Kind::Documentation, 9, "i"),
    ];
    let expected = expected.map(|(kind, line, text)| (kind, line, text.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(literals(text), [(7, "\"// g\"")]);
}
