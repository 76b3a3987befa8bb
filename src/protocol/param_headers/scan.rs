//! Finds the values at given paths in JSON text that is known to be valid.

use crate::wire::skip::{skip_string, skip_value};
use crate::wire::splice::decode;

/// A position in a JSON text, for a walk that enters each value at most once.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the next byte that is not white space, a comma or a colon. Order alone makes the latter redundant.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let skipped = rest
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':'))?;
        self.at += skipped;
        rest.get(skipped).copied()
    }

    /// Steps over the byte that [`peek`](Self::peek) returned: a bracket or a brace.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Steps over the next string and returns it as written.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        (self.peek()? == b'"').then(|| self.take(skip_string(self.text, self.at)))
    }

    /// Steps over the next value and returns it as written.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let is_end = matches!(self.peek()?, b'}' | b']');
        (!is_end).then(|| self.take(skip_value(self.text, self.at)))
    }

    fn take(&mut self, end: usize) -> &'a [u8] {
        let taken = &self.text[self.at..end];
        self.at = end;
        taken
    }
}

/// Returns the raw values at `paths`, each a chain of object keys, found in one pass.
///
/// Of equal keys the last one counts, as in most JSON parsers.
pub(super) fn pick<'a, K: AsRef<str>>(text: &'a [u8], paths: &[&[K]]) -> Vec<Option<&'a [u8]>> {
    let mut found = vec![None; paths.len()];
    let candidates: Vec<usize> = (0..paths.len()).collect();
    pick_below(&mut Scanner::new(text), paths, &candidates, 0, &mut found);
    found
}

/// Picks the values below the current object. Recurses no deeper than the longest path.
fn pick_below<'a, K: AsRef<str>>(
    scanner: &mut Scanner<'a>,
    paths: &[&[K]],
    candidates: &[usize],
    depth: usize,
    found: &mut [Option<&'a [u8]>],
) -> Option<()> {
    if scanner.peek()? != b'{' {
        return scanner.value().map(drop);
    }
    scanner.step();
    while scanner.peek()? != b'}' {
        // A key with a lone surrogate is in no path.
        let key = decode(scanner.string()?);
        let is_next = |path: &&usize| {
            let next = paths[**path].get(depth).map(AsRef::as_ref);
            key.is_some() && next == key.as_deref()
        };
        let matching: Vec<usize> = candidates.iter().filter(is_next).copied().collect();
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
