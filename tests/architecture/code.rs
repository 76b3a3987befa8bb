//! Rust text as code: without comments, without the contents of literals, and as tokens.

use std::ops::Range;

/// A word, a lifetime, `::`, or one character of punctuation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 0.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Returns `true` for names and keywords; a lifetime is neither.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_part)
    }
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word at the beginning of `text`.
pub(crate) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !is_word_part(c));
    &text[..end.unwrap_or(text.len())]
}

/// `text` with a space for each comment and each literal of text. Lines keep their numbers.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = comment_or_literal(rest, code.ends_with(is_word_part));
        if skipped > 0 {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        } else {
            code.push(c);
        }
        rest = &rest[skipped.max(c.len_utf8())..];
    }
    code
}

/// The length of the comment or literal at the beginning of `rest`, or 0.
pub(crate) fn comment_or_literal(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    match rest.chars().next() {
        Some('"') => string(rest),
        Some('\'') => character(rest).unwrap_or(0),
        _ if after_word => 0,
        _ => raw_string(rest).unwrap_or(0),
    }
}

/// The length of the character literal at the beginning of `text`, unless that is a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        // The second character may be an escaped quotation mark.
        let end = inside.char_indices().skip(2).find(|(_, c)| *c == '\'')?.0;
        return Some(end + 2);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}

/// The length of the raw string at the beginning of `text`.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end)? + end.len();
    Some(text.len() - inside.len() + length)
}

/// The length of the string at the beginning of `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The tokens of `code`, which [`code`] returned.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), code, 0);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' => 1 + word(&rest[1..]).len(),
            ':' if rest.starts_with("::") => 2,
            c if is_word_part(c) => word(rest).len(),
            c => c.len_utf8(),
        };
        let text = &rest[..length];
        if !c.is_whitespace() {
            tokens.push(Token { text, line });
        }
        line += usize::from(c == '\n');
        rest = &rest[length..];
    }
    tokens
}

/// Returns `true` if `tokens` continue at `at` with exactly these.
pub(crate) fn is_at(tokens: &[Token<'_>], at: usize, expected: &[&str]) -> bool {
    let found = tokens.get(at..at + expected.len());
    found.is_some_and(|found| {
        found
            .iter()
            .map(|token| token.text)
            .eq(expected.iter().copied())
    })
}

/// The place of the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return at,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len() - 1
}

/// The tokens without the items that a `cfg` keeps for tests.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_for_tests(tokens, at) {
            at = item(tokens, at).end;
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Returns `true` if an attribute at `at` limits the next item to tests.
fn is_for_tests(tokens: &[Token<'_>], at: usize) -> bool {
    let is_cfg = is_at(tokens, at, &["#", "[", "cfg", "("]);
    let end = if is_cfg { closing(tokens, at + 1) } else { at };
    let has = |word: &str| tokens[at..end].iter().any(|token| token.text == word);
    has("test") && !has("not")
}

/// The item at `start`, its attributes included.
fn item(tokens: &[Token<'_>], start: usize) -> Range<usize> {
    let mut at = start;
    while is_at(tokens, at, &["#", "["]) {
        at = closing(tokens, at + 1) + 1;
    }
    let mut is_use = false;
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return start..at + 1,
            "{" if !is_use => return start..closing(tokens, at) + 1,
            "(" | "[" | "{" => at = closing(tokens, at),
            "use" => is_use = true,
            _ => {}
        }
        at += 1;
    }
    start..tokens.len()
}

#[test]
fn code_leaves_out_comments_and_literals() {
    let text =
        "a // b\nc(\"d\\\"e\", '\"', f, r#\"g\"h\"#, b\"i\") // j\n'{' b'\\'' 'k /* l\n*/ '\\u{7}'";
    let code = code(text);
    let found = tokens(&code).into_iter();
    let found: Vec<_> = found.map(|token| (token.text, token.line)).collect();
    let texts: Vec<_> = found.iter().map(|(text, _)| *text).collect();
    assert_eq!(texts.concat(), "ac(,,f,,b)b'k");
    assert_eq!(found.last(), Some(&("'k", 2)));
}

#[test]
fn items_of_tests_are_left_out() {
    let text = "a #[cfg(test)] use b::{c, d}; e #[cfg(test)] #[path = \"x\"] mod f; \
                #[cfg(test)] pub(crate) mod g { fn h() { i } } j #[cfg(all(test, unix))] fn l() {} #[cfg(unix)] k";
    let code = code(text);
    let kept: String = without_tests(&tokens(&code))
        .iter()
        .map(|token| token.text)
        .collect();
    assert_eq!(kept, "aej#[cfg(unix)]k");
}
