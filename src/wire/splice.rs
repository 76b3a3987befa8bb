//! Changes members of a JSON object and leaves all other bytes as they are.
//!
//! [`members`] finds the members of an object that was parsed before; [`Splice`] replaces ranges of bytes.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use super::skip::{skip_space, skip_string, skip_value};

/// One member of an object: its key, and the positions of key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    object: &'a [u8],
    spans: MemberSpans,
}

/// The positions of a member's key and value in their object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemberSpans {
    key: Range<usize>,
    value: Range<usize>,
}

impl MemberSpans {
    /// Returns the member of `object` at these positions.
    pub(super) fn member_in<'a>(&self, object: &'a [u8]) -> Member<'a> {
        Member {
            object,
            spans: self.clone(),
        }
    }
}

impl<'a> Member<'a> {
    /// The position of the value in a text in which the object begins at `start`.
    #[must_use]
    pub fn span_from(&self, start: usize) -> Range<usize> {
        start + self.spans.value.start..start + self.spans.value.end
    }

    /// The positions alone, without the object.
    pub(super) fn into_spans(self) -> MemberSpans {
        self.spans
    }

    /// The decoded key. A key that cannot be decoded (a lone surrogate) is returned as written.
    #[must_use]
    pub fn key(&self) -> Cow<'a, str> {
        let quoted = &self.object[self.spans.key.clone()];
        decode(quoted).unwrap_or_else(|| String::from_utf8_lossy(quoted))
    }

    /// The key as written, a JSON string.
    #[must_use]
    pub fn quoted_key(&self) -> &'a [u8] {
        &self.object[self.spans.key.clone()]
    }

    /// The value as written.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.object[self.spans.value.clone()]
    }

    /// The position of the value, in bytes from the start of the object's text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.spans.value.clone()
    }
}

/// The members of a JSON object in the order written, without nested members.
///
/// `object` is the text of a value that a JSON parser has accepted; other values have no members.
/// On text that is not JSON the result is unspecified, but finite.
#[must_use]
pub fn members(object: &[u8]) -> Members<'_> {
    let start = skip_space(object, 0);
    let at = match object.get(start) {
        Some(b'{') => start + 1,
        _ => object.len(),
    };
    Members { object, at }
}

/// The member of a JSON object with this key. Of equal keys the last one counts, as in most parsers.
#[must_use]
pub fn last_member<'a>(object: &'a [u8], key: &str) -> Option<Member<'a>> {
    members(object).filter(|member| member.key() == key).last()
}

/// See [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    object: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.object;
        let mut key_start = skip_space(bytes, self.at);
        if bytes.get(key_start) == Some(&b',') {
            key_start = skip_space(bytes, key_start + 1);
        }
        if bytes.get(key_start) != Some(&b'"') {
            self.at = bytes.len();
            return None;
        }
        let key_end = skip_string(bytes, key_start);
        let colon = skip_space(bytes, key_end);
        let start = skip_space(bytes, (colon + 1).min(bytes.len()));
        let end = skip_value(bytes, start);
        self.at = end;
        Some(Member {
            object: self.object,
            spans: MemberSpans {
                key: key_start..key_end,
                value: start..end,
            },
        })
    }
}

/// The decoded text of a JSON string; `None` if `quoted` is not a string or holds a lone surrogate.
#[must_use]
pub fn decode(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(quoted)
        .ok()
        .map(Cow::Owned)
}

/// Edits of a text, collected in any order and applied in one pass.
#[derive(Debug)]
pub struct Splice<'a> {
    source: &'a [u8],
    edits: Vec<(Range<usize>, Cow<'a, [u8]>)>,
}

impl<'a> Splice<'a> {
    /// A splice of `source` without edits.
    #[must_use]
    pub fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            edits: Vec::with_capacity(4),
        }
    }

    /// Replaces `range` by `text`. A range that is inverted or outside the source is ignored; of two
    /// overlapping ranges, the later one is.
    pub fn replace(&mut self, range: Range<usize>, text: impl Into<Cow<'a, [u8]>>) -> &mut Self {
        self.edits.push((range, text.into()));
        self
    }

    /// Inserts `text` before the byte at `at`.
    pub fn insert(&mut self, at: usize, text: impl Into<Cow<'a, [u8]>>) -> &mut Self {
        self.replace(at..at, text)
    }

    /// Adds members at the front of the object at `object` in the source. Other values stay as they are.
    /// `added` is their text without braces: `"a":1,"b":2`. At least one existing member must stay.
    pub fn add_members(&mut self, object: Range<usize>, added: impl Into<Vec<u8>>) -> &mut Self {
        let text = self.text(object.clone());
        let open = skip_space(text, 0) + 1;
        if text.get(open - 1) != Some(&b'{') {
            return self;
        }
        let mut added = added.into();
        if text.get(skip_space(text, open)) == Some(&b'"') {
            added.push(b',');
        }
        self.insert(object.start + open, added)
    }

    /// Removes the members of the object at `object` for which `remove` returns `true`, each with one comma.
    pub fn remove_members(
        &mut self,
        object: Range<usize>,
        mut remove: impl FnMut(&Member<'_>) -> bool,
    ) -> &mut Self {
        let mut kept_end = None;
        let mut run: Option<Range<usize>> = None;
        let text = self.text(object.clone());
        let mut cuts = Vec::new();
        for member in members(text) {
            if remove(&member) {
                let start = run.map_or(member.spans.key.start, |run| run.start);
                run = Some(start..member.spans.value.end);
            } else {
                cuts.extend(run.take().map(|run| run.start..member.spans.key.start));
                kept_end = Some(member.spans.value.end);
            }
        }
        cuts.extend(run.map(|run| kept_end.unwrap_or(run.start)..run.end));
        for cut in cuts {
            self.replace(object.start + cut.start..object.start + cut.end, &b""[..]);
        }
        self
    }

    /// Applies the edits and returns the text.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.edits
            .sort_by_key(|(range, _)| (range.start, range.end));
        let added: usize = self.edits.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(self.source.len() + added);
        let mut at = 0;
        for (range, text) in &self.edits {
            if range.start < at || range.start > range.end || range.end > self.source.len() {
                continue;
            }
            out.extend_from_slice(&self.source[at..range.start]);
            out.extend_from_slice(text);
            at = range.end;
        }
        out.extend_from_slice(&self.source[at..]);
        out
    }

    fn text(&self, range: Range<usize>) -> &'a [u8] {
        self.source.get(range).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "splice_tests.rs"]
mod tests;
