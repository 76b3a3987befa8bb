//! The style of pages, comments and names: forbidden words, and the length of a sentence.
//!
//! The words are no terms of any field, and sentences with them leave out who does what.

use crate::code::{code, tokens};
use crate::comments::{Kind, comments, literals};
use crate::pages::pages;
use crate::source::{files, rust_files};

/// Words that no page, comment or name has, each alone or in a row.
const FORBIDDEN: [&str; 23] = [
    "told",
    "tell",
    "tells",
    "telling",
    "whoever",
    "nobody",
    "somebody",
    "hear",
    "hears",
    "heard",
    "hearing",
    "is none",
    "are none",
    "come of",
    "comes of",
    "came of",
    "coming of",
    "want",
    "wants",
    "wanted",
    "wanting",
    "by now",
    "anew",
];

/// How the documentation of an item does not begin: with no verb and no noun.
const NO_BEGINNING: [&str; 12] = [
    "That it",
    "That the",
    "Of ",
    "By which",
    "Has it",
    "Has the",
    "The same,",
    "What ",
    "Who ",
    "Whom ",
    "For whom",
    "To be ",
];

/// The most words of a sentence in a page.
const PAGE_SENTENCE: usize = 25;

/// The most words of a sentence in a comment.
const COMMENT_SENTENCE: usize = 20;

/// Panics if a rule was broken, with the places where.
fn assert_none(rule: &str, found: &[String]) {
    let (count, lines) = (found.len(), found.join("\n"));
    assert!(found.is_empty(), "{rule}: {count} times\n{lines}");
}

/// One piece of prose, and where it stands.
struct Piece {
    /// The path, and the first line of a comment.
    at: String,
    /// `None` in a page.
    kind: Option<Kind>,
    text: String,
}

/// All pages and comments.
fn pieces() -> Vec<Piece> {
    let mut pieces: Vec<_> = pages()
        .iter()
        .map(|page| Piece {
            at: page.path.clone(),
            kind: None,
            text: page.prose(),
        })
        .collect();
    for (path, text) in rust_files() {
        let comments = comments(text).into_iter();
        pieces.extend(comments.map(|comment| Piece {
            at: format!("{path}:{}", comment.line),
            kind: Some(comment.kind),
            text: comment.text,
        }));
    }
    assert!(pieces.len() > 5000, "found only {} pieces", pieces.len());
    pieces
}

/// The text with an `x` for each piece of code in backticks, and without the targets of links.
fn without_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let plain: String = parts
        .map(|(at, part)| if at % 2 == 1 { "x" } else { part })
        .collect();
    let mut parts = plain.split("](");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(part.split_once(')').map_or(part, |(_, after)| after));
    }
    kept
}

/// The words of a text in lower case.
fn words(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '\'' || c == '_';
    let words = text.split(|c: char| !is_part(c));
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The forbidden words in a text.
fn forbidden(text: &str) -> Vec<&'static str> {
    let spaced = format!(" {} ", words(&without_code(text)).join(" "));
    let found = FORBIDDEN.into_iter().flat_map(|word| {
        spaced
            .match_indices(&format!(" {word} "))
            .map(move |_| word)
            .collect::<Vec<_>>()
    });
    found.collect()
}

/// Breaks a text into what stands for itself: paragraphs, headings, items of lists, cells of tables.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let mut after_heading = false;
    for line in text.lines().map(str::trim) {
        let begins = line.is_empty() || line.starts_with(['|', '#', '-', '*', '<', '>']);
        if begins || after_heading || line.starts_with(|c: char| c.is_ascii_digit()) {
            blocks.push(String::new());
        }
        after_heading = line.starts_with('#');
        let cells = line.split('|').filter(|_| line.starts_with('|'));
        blocks.extend(cells.map(str::to_owned));
        if !line.starts_with('|') {
            let block = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push(' ');
        }
    }
    blocks
}

/// The text without the sources that it cites in parentheses: `(RFC 6749 § 5)`.
fn without_citations(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        kept.push_str(before);
        match after.split_once(')') {
            Some((inside, after)) if inside.contains('§') || inside.starts_with("RFC") => {
                rest = after;
            }
            _ => {
                kept.push('(');
                rest = after;
            }
        }
    }
    kept + rest
}

/// The sentences of a text.
fn sentences(text: &str) -> Vec<String> {
    let blocks = blocks(&without_citations(&without_code(text))).into_iter();
    let sentences = blocks.flat_map(|block| {
        let marked = block
            .replace(". ", ".\n")
            .replace("? ", "?\n")
            .replace(".) ", ".)\n")
            .replace(".** ", ".**\n");
        marked.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    sentences.collect()
}

/// The words that the names of a Rust text are made of.
fn words_of_names(code: &str) -> String {
    let mut spaced = String::with_capacity(code.len());
    let mut before = ' ';
    for c in code.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if c == '_' { ' ' } else { c });
        before = c;
    }
    spaced
}

#[test]
fn pages_and_comments_have_no_forbidden_word() {
    let mut found = Vec::new();
    for piece in pieces() {
        for word in forbidden(&piece.text) {
            found.push(format!("{}: {word:?}", piece.at));
        }
    }
    assert_none("forbidden words", &found);
}

#[test]
fn messages_have_no_forbidden_word() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| !file.is_test()) {
        for (line, text) in literals(&file.text) {
            // A single word is a key of a format.
            let words = forbidden(text).into_iter().filter(|_| text.contains(' '));
            found.extend(words.map(|word| format!("src/{}:{line}: {word:?}", file.path)));
        }
    }
    assert_none("forbidden words in messages", &found);
}

#[test]
fn names_have_no_forbidden_word() {
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        let code = code(text);
        for token in tokens(&code).iter().filter(|token| token.is_word()) {
            let words = forbidden(&words_of_names(token.text)).into_iter();
            // `is_none` is a method of `Option`.
            let words = words.filter(|word| !word.contains(' '));
            found.extend(words.map(|word| format!("{path}:{}: {word:?}", token.line + 1)));
        }
    }
    assert_none("forbidden words in names", &found);
}

#[test]
fn documentation_begins_with_a_verb_or_a_noun() {
    let mut found = Vec::new();
    for piece in pieces() {
        let begins = |beginning: &str| piece.text.starts_with(beginning);
        if piece.kind == Some(Kind::Documentation) && NO_BEGINNING.iter().any(|&it| begins(it)) {
            found.push(piece.at);
        }
    }
    assert_none("documentation without a verb or a noun", &found);
}

#[test]
fn sentences_are_short() {
    let mut found = Vec::new();
    for piece in pieces() {
        let most = match piece.kind {
            None => PAGE_SENTENCE,
            Some(_) => COMMENT_SENTENCE,
        };
        for sentence in sentences(&piece.text) {
            let count = words(&sentence).len();
            if count > most {
                let at = format!("{}: {count} words: {}", piece.at, sentence.trim());
                found.push(at);
            }
        }
    }
    assert_none("long sentences", &found);
}

#[test]
fn forbidden_words_are_found_whole() {
    assert_eq!(
        forbidden("Nobody is told; what *comes of* it?"),
        ["told", "nobody", "comes of"]
    );
    assert_eq!(forbidden("by now,\nanew"), ["by now", "anew"]);
    assert_eq!(forbidden("`tell`, retell, unwanted"), Vec::<&str>::new());
    assert_eq!(
        forbidden(&words_of_names("isTold level_wanted Wanting")),
        ["told", "wanted", "wanting"]
    );
}

#[test]
fn sentences_end_with_their_block() {
    let text = "# A b\nC d (MCP § X)\ne. F [`g. h`](i. j) i.\n\n- j\n| k l | m |\n1. n";
    let found = sentences(text);
    let found: Vec<_> = found
        .iter()
        .map(|it| it.trim())
        .filter(|it| !it.is_empty())
        .collect();
    assert_eq!(
        found,
        ["# A b", "C d e.", "F [x i.", "- j", "k l", "m", "1.", "n"]
    );
}
