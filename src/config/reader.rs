//! The fields of one entry, each read as the kind of value it must be.

use std::collections::BTreeMap;
use std::time::Duration;

use jsonc_parser::ast::{ObjectProp, Value};

use super::file::Document;
use super::problem::{Place, Problem, Severity};
use super::value::kind;
use super::{Environment, UpstreamName};

/// What reading an entry needs to know besides the entry.
pub(super) struct Context<'a> {
    pub(super) document: &'a Document,
    pub(super) environment: &'a Environment,
    pub(super) timeout: Duration,
}

/// One entry while it is read. Errors are gathered, so that all are told at once.
pub(super) struct Reader<'a, 'p> {
    pub(super) context: &'a Context<'a>,
    pub(super) name: Option<UpstreamName>,
    pub(super) place: Place,
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
            fields: BTreeMap::new(),
            problems,
            failed: false,
        }
    }

    /// A text, read by `parse`.
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

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let (place, value) = self.field(key)?;
        if let Some(boolean) = value.as_boolean_lit() {
            return Some(boolean.value);
        }
        let message = format!("is {}; write true or false", kind(value));
        self.error(Some(key), place, message);
        None
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn strings(&mut self, key: &'static str) -> Vec<String> {
        let Some((place, value)) = self.field(key) else {
            return Vec::new();
        };
        let list = match value {
            Value::StringLit(text) => Some(vec![text.value.clone().into_owned()]),
            Value::Array(array) => {
                let text =
                    |value: &Value<'_>| Some(value.as_string_lit()?.value.clone().into_owned());
                array.elements.iter().map(text).collect()
            }
            _ => None,
        };
        list.unwrap_or_else(|| {
            self.error(
                Some(key),
                place,
                "is not a list of strings; write `[\"get_*\"]`".to_owned(),
            );
            Vec::new()
        })
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
        self.problems.push(Problem {
            severity,
            place,
            upstream: self.name.clone(),
            key: key.map(str::to_owned),
            message,
        });
    }
}
