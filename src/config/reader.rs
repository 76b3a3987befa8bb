//! Reads the fields of an upstream, or of an object in it, as the types that they must have.

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, ObjectProp, Value};

use super::file::Document;
use super::key::{self, KnownName};
use super::problem::{Place, Problem, Severity};
use super::timeouts::Timeouts;
use super::value::{self, kind};
use super::{Environment, Secret, UpstreamName};

/// The context in which upstreams are read.
pub(super) struct Context<'a> {
    pub(super) document: &'a Document,
    pub(super) environment: &'a Environment,
    pub(super) timeouts: Timeouts,
}

/// A reader of one upstream, or of an object in it. It collects errors, so that all are reported at once.
pub(super) struct Reader<'a, 'p> {
    pub(super) context: &'a Context<'a>,
    pub(super) name: Option<UpstreamName>,
    pub(super) place: Place,
    /// The key of the object; `None` for the upstream itself.
    section: Option<&'static str>,
    pub(super) fields: BTreeMap<&'static str, &'a ObjectProp<'a>>,
    pub(super) problems: &'p mut Vec<Problem>,
    pub(super) failed: bool,
}

impl<'a, 'p> Reader<'a, 'p> {
    pub(super) fn new(
        context: &'a Context<'a>,
        place: Place,
        problems: &'p mut Vec<Problem>,
    ) -> Self {
        Self {
            context,
            name: None,
            place,
            section: None,
            fields: BTreeMap::new(),
            problems,
            failed: false,
        }
    }

    /// A reader for the object under a key. The caller must add its `failed` to that of this reader.
    pub(super) fn section_reader(&mut self, section: &'static str, place: Place) -> Reader<'a, '_> {
        let mut inner = Reader::new(self.context, place, self.problems);
        inner.name.clone_from(&self.name);
        inner.section = Some(section);
        inner
    }

    /// Collects the properties of an object by key, and warns about unknown keys if `report_unknown` is set.
    pub(super) fn collect_fields(
        &mut self,
        object: &'a Object<'a>,
        keys: &[KnownName],
        report_unknown: bool,
    ) {
        for property in &object.properties {
            let written = property.name.as_str();
            let place = self.context.document.place(property.range.start);
            let Some(key) = key::canonical(keys, written) else {
                if report_unknown {
                    self.warn(None, place, unknown_key(keys, written));
                }
                continue;
            };
            if property.value.as_null_keyword().is_some() {
                continue;
            }
            if self.fields.insert(key, property).is_some() {
                let message = format!("`{key}` is given twice; the last counts");
                self.warn(None, place, message);
            }
        }
    }

    /// Reads a string with `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (place, value) = self.field(key)?;
        let read = match value.as_string_lit() {
            Some(text) => parse(&text.value),
            None => Err(format!("is {}; put it in quotes", kind(value))),
        };
        read.map_err(|message| self.error(Some(key), place, message))
            .ok()
    }

    /// Expands the variables of a string and reads it with `parse`. An empty result counts as not
    /// written, as for a variable.
    pub(super) fn expanded<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let environment = self.context.environment;
        let read = self.parsed(key, |text| {
            let expanded = value::expand(text, environment)?;
            value::line(&expanded)?.map(parse).transpose()
        });
        read.flatten()
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let (place, value) = self.field(key)?;
        if let Some(boolean) = value.as_boolean_lit() {
            return Some(boolean.value);
        }
        let message = format!("is {}; write true or false", kind(value));
        self.error(Some(key), place, message);
        None
    }

    /// Reads a list of strings such as `example`; a single string is a list of one.
    pub(super) fn strings(&mut self, key: &'static str, example: &str) -> Option<Vec<String>> {
        let (place, value) = self.field(key)?;
        let list = match value {
            Value::StringLit(text) => Some(vec![text.value.clone().into_owned()]),
            Value::Array(array) => {
                let text =
                    |value: &Value<'_>| Some(value.as_string_lit()?.value.clone().into_owned());
                array.elements.iter().map(text).collect()
            }
            _ => None,
        };
        if list.is_none() {
            let message = format!("is not a list of strings; write `[\"{example}\"]`");
            self.error(Some(key), place, message);
        }
        list
    }

    /// Reads a string that is one line.
    pub(super) fn line(&mut self, key: &'static str) -> Option<String> {
        self.expanded(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.line(key).map(Secret::new)
    }

    /// Reads one of `words`, ignoring case.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let (place, value) = self.field(key)?;
        let all: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let all = all.join(", ");
        if value.as_string_lit().is_none() {
            let message = format!("is {}; write one of {all}", kind(value));
            self.error(Some(key), place, message);
            return None;
        }
        self.expanded(key, |text| {
            let found = words
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(text));
            let found = found.map(|(_, value)| *value);
            found.ok_or_else(|| format!("is not a known word; write one of {all}"))
        })
    }

    /// Reads a number, or a string with variables, with `parse`.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        remedy: &str,
    ) -> Option<T> {
        let (place, value) = self.field(key)?;
        let read = match value {
            Value::StringLit(_) => return self.expanded(key, parse),
            Value::NumberLit(number) => parse(number.value),
            other => Err(format!("is {}; {remedy}", kind(other))),
        };
        read.map_err(|message| self.error(Some(key), place, message))
            .ok()
    }

    /// Whether a key is written and may have been reported as invalid.
    pub(super) fn is_invalid(&self, key: &str) -> bool {
        self.failed && self.fields.contains_key(key)
    }

    /// Warns that a key, if written, is not used.
    pub(super) fn warn_unused(&mut self, key: &'static str, why: &str) {
        if let Some((place, _)) = self.field(key) {
            self.warn(
                Some(key),
                place,
                format!("is not used, {why}; leave it out"),
            );
        }
    }

    pub(super) fn field(&self, key: &str) -> Option<(Place, &'a Value<'a>)> {
        let property = self.fields.get(key)?;
        Some((
            self.context.document.place_of(&property.value),
            &property.value,
        ))
    }

    pub(super) fn error(&mut self, key: Option<&str>, place: Place, message: String) {
        self.failed = true;
        self.add(Severity::Error, key, place, message);
    }

    pub(super) fn warn(&mut self, key: Option<&str>, place: Place, message: String) {
        self.add(Severity::Warning, key, place, message);
    }

    fn add(&mut self, severity: Severity, key: Option<&str>, place: Place, message: String) {
        let key = match (self.section, key) {
            (Some(section), Some(key)) => Some(format!("{section}.{key}")),
            (section, key) => key.or(section).map(str::to_owned),
        };
        self.problems.push(Problem {
            severity,
            place,
            upstream: self.name.clone(),
            key,
            message,
        });
    }
}

fn unknown_key(keys: &[KnownName], key: &str) -> String {
    match key::closest(keys, key) {
        Some(close) => format!("unknown key `{key}`; did you mean `{close}`?"),
        None => format!("unknown key `{key}`; it is ignored"),
    }
}
