//! A look through JSON text that is known to be valid, without building anything.
//!
//! Text that is not valid gives nothing, or something wrong, but never a panic.

use std::borrow::Cow;

use memchr::memchr2;

/// A place in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that says something; commas and colons say nothing that order does not.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let skipped = rest
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':'))?;
        self.at += skipped;
        rest.get(skipped).copied()
    }

    /// Steps over the byte that [`peek`](Self::peek) gave: a bracket or a brace.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// The next string, as it is written.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        self.skip_string()?;
        self.text.get(start..self.at)
    }

    /// The next value, as it is written.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.skip_string()?,
            b'{' | b'[' => self.skip_nested()?,
            b'}' | b']' => return None,
            _ => self.skip_scalar(),
        }
        self.text.get(start..self.at)
    }

    fn skip_string(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        loop {
            let found = self.at + memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            if bytes[found] == b'"' {
                self.at = found + 1;
                return Some(());
            }
            self.at = found + 2;
        }
    }

    // A counter instead of recursion: the nesting is the other side's choice.
    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.text.as_bytes().get(self.at)? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn skip_scalar(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

/// The text of a string as it is written, quotes included; `None` for a lone surrogate.
pub(super) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_some() {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(Cow::Borrowed(text))
}

/// The raw values at `paths`, each a chain of object keys, found in one pass.
///
/// Of equal keys the last one counts, as in most JSON parsers.
pub(super) fn pick<'a, K: AsRef<str>>(text: &'a str, paths: &[&[K]]) -> Vec<Option<&'a str>> {
    let mut found = vec![None; paths.len()];
    let wanted: Vec<usize> = (0..paths.len()).collect();
    pick_below(&mut Scanner::new(text), paths, &wanted, 0, &mut found);
    found
}

/// Recurses no deeper than the longest path.
fn pick_below<'a, K: AsRef<str>>(
    scanner: &mut Scanner<'a>,
    paths: &[&[K]],
    wanted: &[usize],
    depth: usize,
    found: &mut [Option<&'a str>],
) -> Option<()> {
    if scanner.peek()? != b'{' {
        return scanner.value().map(drop);
    }
    scanner.step();
    while scanner.peek()? != b'}' {
        let key = decode(scanner.string()?);
        let is_next = |path: &&usize| {
            let next = paths[**path].get(depth).map(AsRef::as_ref);
            key.is_some() && next == key.as_deref()
        };
        let matching: Vec<usize> = wanted.iter().filter(is_next).copied().collect();
        if matching.is_empty() {
            scanner.value()?;
            continue;
        }
        let (ending, longer): (Vec<_>, Vec<_>) = matching
            .iter()
            .partition(|path| paths[**path].len() == depth + 1);
        for path in &matching {
            found[*path] = None;
        }
        if ending.is_empty() {
            pick_below(scanner, paths, &longer, depth + 1, found)?;
            continue;
        }
        let value = scanner.value()?;
        for path in ending {
            found[path] = Some(value);
        }
        if !longer.is_empty() {
            pick_below(&mut Scanner::new(value), paths, &longer, depth + 1, found)?;
        }
    }
    scanner.step();
    Some(())
}
