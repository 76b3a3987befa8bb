//! Looks through JSON text that is known to be valid, for what stands at a path.

use crate::wire::skip::{skip_string, skip_value};
use crate::wire::splice::decode;

/// A place in a JSON text, for a walk that goes into each value at most once.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the next byte that says something; commas and colons say nothing that order does not.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
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

    /// Steps over the next string and returns it as it is written.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        (self.peek()? == b'"').then(|| self.take(skip_string(self.text, self.at)))
    }

    /// Steps over the next value and returns it as it is written.
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
    found: &mut [Option<&'a [u8]>],
) -> Option<()> {
    if scanner.peek()? != b'{' {
        return scanner.value().map(drop);
    }
    scanner.step();
    while scanner.peek()? != b'}' {
        // A lone surrogate is no key of a path.
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
