//! Finds and checks the `x-mcp-header` annotations of a tool's definition.
//!
//! The definition is walked once, with an explicit stack of limited depth. So no schema can exhaust
//! time or stack. Numbers and strings that other parsers reject are accepted.

use std::borrow::Cow;
use std::collections::HashSet;

use http::HeaderName;

use super::scan::{self, Scanner};
use super::{ANNOTATION, ParamHeader, ParamHeaderError};
use crate::wire::splice::decode;

/// The deepest supported nesting: the default limit of `serde_json` and other parsers.
const MAX_DEPTH: usize = 128;

/// The most parameters that may be sent as headers: common HTTP servers accept at most 100 headers.
const MAX_PARAMS: usize = 100;

/// The length to which an error truncates a name, in characters.
const SHOWN: usize = 60;

/// The role of an object or array in a tool's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Tool,
    /// The input schema itself.
    Root,
    /// `properties` of a reachable schema.
    Properties,
    /// The schema of a property that is reachable through `properties` alone.
    Property,
    /// A possible schema below any other keyword.
    Elsewhere,
    /// A map from names to schemas, below any other keyword.
    ElsewhereNames,
}

impl Place {
    /// The role of the value of `key`; `None` if it cannot hold an annotation.
    fn below(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Tool, "inputSchema") => Some(Self::Root),
            (Self::Tool, _) => None,
            (Self::Properties, _) => Some(Self::Property),
            (Self::ElsewhereNames, _) => Some(Self::Elsewhere),
            // Instance data and names, not schemas.
            (_, "const" | "default" | "dependentRequired" | "enum" | "examples") => None,
            (Self::Root | Self::Property, "properties") => Some(Self::Properties),
            (
                _,
                "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties"
                | "properties",
            ) => Some(Self::ElsewhereNames),
            _ => Some(Self::Elsewhere),
        }
    }

    fn is_schema(self) -> bool {
        matches!(self, Self::Root | Self::Property | Self::Elsewhere)
    }
}

/// An object or array that is being walked.
struct Frame<'a> {
    place: Place,
    is_object: bool,
    /// The key of this value; empty for an element of an array.
    key: Cow<'a, str>,
    annotation: Option<&'a [u8]>,
    r#type: Option<&'a [u8]>,
}

/// An annotated property that is not checked yet.
struct Annotated<'a> {
    path: Vec<Cow<'a, str>>,
    annotation: &'a [u8],
    r#type: Option<&'a [u8]>,
}

struct Walk<'a> {
    scanner: Scanner<'a>,
    stack: Vec<Frame<'a>>,
    annotated: Vec<Annotated<'a>>,
}

/// Returns the annotated parameters of a tool's definition, in the order of its schema.
pub(super) fn read(definition: &str) -> Result<Vec<ParamHeader>, ParamHeaderError> {
    let mut walk = Walk {
        scanner: Scanner::new(definition.as_bytes()),
        stack: Vec::new(),
        annotated: Vec::new(),
    };
    if walk.scanner.peek() != Some(b'{') {
        return Err(ParamHeaderError::Malformed);
    }
    walk.enter(Place::Tool, Cow::Borrowed(""))?;
    while !walk.stack.is_empty() {
        walk.advance()?;
    }
    let mut headers = HashSet::new();
    let effective = effective(definition, walk.annotated);
    let params = effective
        .into_iter()
        .map(|annotated| annotated.check(&mut headers));
    params.collect()
}

/// Removes annotations that a later equal key replaces.
fn effective<'a>(definition: &'a str, mut annotated: Vec<Annotated<'a>>) -> Vec<Annotated<'a>> {
    let path_of = |annotated: &Annotated<'a>| {
        let mut path = vec![Cow::Borrowed("inputSchema")];
        for name in &annotated.path {
            path.extend([Cow::Borrowed("properties"), name.clone()]);
        }
        path.push(Cow::Borrowed(ANNOTATION));
        path
    };
    let paths: Vec<Vec<Cow<str>>> = annotated.iter().map(path_of).collect();
    let paths: Vec<&[Cow<str>]> = paths.iter().map(Vec::as_slice).collect();
    let mut last = scan::pick(definition.as_bytes(), &paths).into_iter();
    annotated.retain(|annotated| {
        // Compares the position in the text, not the content.
        let last = last.next().flatten();
        last.is_some_and(|last| std::ptr::eq(last.as_ptr(), annotated.annotation.as_ptr()))
    });
    annotated
}

impl<'a> Walk<'a> {
    /// Advances to the next member or element, or leaves the innermost object or array.
    fn advance(&mut self) -> Result<(), ParamHeaderError> {
        let next = self.scanner.peek().ok_or(ParamHeaderError::Malformed)?;
        let Some(frame) = self.stack.last() else {
            return Ok(());
        };
        match next {
            b'}' | b']' => {
                self.scanner.step();
                self.leave()
            }
            _ if frame.is_object => self.member(),
            _ => self.enter(Place::Elsewhere, Cow::Borrowed("")),
        }
    }

    fn member(&mut self) -> Result<(), ParamHeaderError> {
        let raw = self.scanner.string().ok_or(ParamHeaderError::Malformed)?;
        // A key with a lone surrogate is neither a keyword nor the name of an argument.
        let key = decode(raw).unwrap_or_else(|| String::from_utf8_lossy(raw));
        let Some(frame) = self.stack.last_mut() else {
            return Ok(());
        };
        let place = frame.place;
        let value = match &*key {
            ANNOTATION if place == Place::Property => &mut frame.annotation,
            "type" if place == Place::Property => &mut frame.r#type,
            ANNOTATION if place.is_schema() => {
                return Err(ParamHeaderError::NotReachable {
                    at: self.location(),
                });
            }
            _ => match place.below(&key) {
                Some(below) => return self.enter(below, key),
                None => &mut None,
            },
        };
        *value = Some(self.scanner.value().ok_or(ParamHeaderError::Malformed)?);
        Ok(())
    }

    /// Enters the next value if it is an object or an array; else skips it.
    fn enter(&mut self, place: Place, key: Cow<'a, str>) -> Result<(), ParamHeaderError> {
        let first = self.scanner.peek().ok_or(ParamHeaderError::Malformed)?;
        if !matches!(first, b'{' | b'[') {
            return self
                .scanner
                .value()
                .map(drop)
                .ok_or(ParamHeaderError::Malformed);
        }
        if self.stack.len() == MAX_DEPTH {
            return Err(ParamHeaderError::TooDeep { limit: MAX_DEPTH });
        }
        self.scanner.step();
        let is_object = first == b'{';
        self.stack.push(Frame {
            place,
            is_object,
            key,
            annotation: None,
            r#type: None,
        });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), ParamHeaderError> {
        let annotation = self.stack.last().and_then(|frame| frame.annotation);
        if let Some(annotation) = annotation {
            if self.annotated.len() == MAX_PARAMS {
                return Err(ParamHeaderError::TooMany { limit: MAX_PARAMS });
            }
            let properties = self
                .stack
                .iter()
                .filter(|frame| frame.place == Place::Property);
            let path = properties.map(|frame| frame.key.clone()).collect();
            let r#type = self.stack.last().and_then(|frame| frame.r#type);
            self.annotated.push(Annotated {
                path,
                annotation,
                r#type,
            });
        }
        self.stack.pop();
        Ok(())
    }

    fn location(&self) -> String {
        let keys = self.stack.iter().map(|frame| &*frame.key);
        shown(keys.filter(|key| !key.is_empty()))
    }
}

impl Annotated<'_> {
    fn check(self, headers: &mut HashSet<HeaderName>) -> Result<ParamHeader, ParamHeaderError> {
        let Self {
            path,
            annotation,
            r#type,
        } = self;
        let param = || shown(path.iter().map(|name| &**name));
        let Some(header) = header_name(annotation) else {
            return Err(ParamHeaderError::NotAName { param: param() });
        };
        if !r#type.is_some_and(is_primitive) {
            return Err(ParamHeaderError::NotPrimitive { param: param() });
        }
        if !headers.insert(header.clone()) {
            return Err(ParamHeaderError::Duplicate { param: param() });
        }
        let path = path.into_iter().map(Cow::into_owned).collect();
        Ok(ParamHeader { header, path })
    }
}

/// The header `Mcp-Param-{name}`, if the annotation's raw value is a token (RFC 9110 § 5.6.2).
fn header_name(annotation: &[u8]) -> Option<HeaderName> {
    let name: String = serde_json::from_slice(annotation).ok()?;
    if name.is_empty() {
        return None;
    }
    // `HeaderName` accepts exactly the characters of a token, and ignores case.
    HeaderName::try_from(format!("mcp-param-{name}")).ok()
}

/// Whether a raw `type` names only types that a header can hold. A list may also name null.
fn is_primitive(raw: &[u8]) -> bool {
    let is_header_type = |name: &str| matches!(name, "string" | "integer" | "boolean");
    if let Ok(name) = serde_json::from_slice::<String>(raw) {
        return is_header_type(&name);
    }
    serde_json::from_slice::<Vec<String>>(raw).is_ok_and(|names| {
        names
            .iter()
            .all(|name| is_header_type(name) || name == "null")
            && names.iter().any(|name| is_header_type(name))
    })
}

/// Joins `keys` by dots, escaped and truncated so that they fit on a log line.
fn shown<'k>(keys: impl Iterator<Item = &'k str>) -> String {
    let mut text = String::new();
    for (index, key) in keys.enumerate() {
        let dot = if index > 0 { "." } else { "" };
        let left = SHOWN.saturating_sub(text.len());
        text.extend(
            dot.chars()
                .chain(key.chars())
                .take(left)
                .flat_map(char::escape_debug),
        );
    }
    if text.len() >= SHOWN {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
