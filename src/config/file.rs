//! The configuration as written, with positions: JSON in a variable or in a file.
//!
//! Comments and trailing commas are accepted, as in the files of other clients, but no other extension of JSON.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::problem::{ConfigError, Place};
use super::{Environment, value};

/// The largest accepted file, in bytes: far more than any list of servers needs.
const MAX_FILE: u64 = 16 << 20;

/// The keys that hold the list of servers in other clients' configurations.
const WRAPPERS: [&str; 3] = ["mcpServers", "servers", "mcp"];

/// Keys that identify an upstream, as opposed to a list of them.
const URL_KEYS: [&str; 3] = ["url", "serverUrl", "httpUrl"];

/// The text of a configuration and its source.
#[derive(Debug)]
pub(super) struct Document {
    source: String,
    text: String,
}

/// An upstream as written.
pub(super) struct Entry<'a> {
    /// The key and its position; `None` in an array.
    pub(super) key: Option<(&'a str, Place)>,
    /// The position of the value.
    pub(super) place: Place,
    /// The value.
    pub(super) value: &'a Value<'a>,
}

impl Document {
    /// Takes the text of `PROXY_UPSTREAMS`, or reads the file that it names.
    pub(super) fn open(text: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let Some(path) = file_reference(text) else {
            return Ok(Self {
                source: "PROXY_UPSTREAMS".to_owned(),
                text: text.to_owned(),
            });
        };
        let text =
            read(&expand_home(path, environment)).map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            source: path.to_owned(),
            text,
        })
    }

    /// Parses the text as JSON.
    pub(super) fn parse(&self) -> Result<Value<'_>, ConfigError> {
        let options = ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let syntax = |place, message: String| ConfigError::Syntax { place, message };
        match parse_to_ast(&self.text, &CollectOptions::default(), &options) {
            Ok(parsed) => parsed.value.ok_or_else(|| {
                let message = "there is no JSON here; write an array of upstreams";
                syntax(self.place(self.text.len()), message.to_owned())
            }),
            Err(error) => {
                let place = self.place(error.range().start);
                let kind = error.kind().to_string();
                Err(syntax(
                    place,
                    format!("{}{}", lower_first(&kind), self.hint()),
                ))
            }
        }
    }

    /// Finds the upstreams. They are an array, an object keyed by name, or a single upstream. Such
    /// a list may be inside another client's configuration.
    pub(super) fn entries<'a>(&self, root: &'a Value<'a>) -> Result<Vec<Entry<'a>>, ConfigError> {
        let mut list = root;
        while let Some(inner) = list.as_object().and_then(wrapped_list) {
            list = inner;
        }
        let alone = |value| Entry {
            key: None,
            place: self.place_of(value),
            value,
        };
        match list {
            Value::Array(array) => Ok(array.elements.iter().map(alone).collect()),
            Value::Object(object) if is_upstream(object) => Ok(vec![alone(list)]),
            Value::Object(object) => Ok(object
                .properties
                .iter()
                .map(|property| Entry {
                    key: Some((property.name.as_str(), self.place(property.range.start))),
                    ..alone(&property.value)
                })
                .collect()),
            other => Err(ConfigError::Shape {
                place: self.place_of(other),
                found: value::kind(other),
            }),
        }
    }

    /// The place of a value.
    pub(super) fn place_of(&self, value: &Value<'_>) -> Place {
        self.place(value.range().start)
    }

    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Place {
            source: self.source.clone(),
            position: Some((line, column)),
        }
    }

    /// A hint about the probable fault of a text that is not JSON.
    fn hint(&self) -> &'static str {
        let text = self.text.trim_start();
        if text.starts_with("[{\\\"") || text.starts_with("{\\\"") {
            "; the quotes are escaped once too often, leave out the backslashes"
        } else if text.starts_with('\'') || text.starts_with('"') {
            "; leave out the quotes around the whole value"
        } else if !text.starts_with(['[', '{', '/']) {
            "; write JSON, or `@` and the path of a file"
        } else {
            ""
        }
    }
}

fn wrapped_list<'a>(object: &'a Object<'a>) -> Option<&'a Value<'a>> {
    let wrapper = |key: &&str| {
        let value = &object.get(key)?.value;
        let is_list = match value {
            Value::Array(_) => true,
            Value::Object(inner) => !is_upstream(inner),
            _ => false,
        };
        is_list.then_some(value)
    };
    WRAPPERS.iter().find_map(wrapper)
}

fn is_upstream(object: &Object<'_>) -> bool {
    URL_KEYS.iter().any(|key| object.get_string(key).is_some())
}

/// The path in a value of `PROXY_UPSTREAMS` that names a file, as written.
fn file_reference(text: &str) -> Option<&str> {
    text.trim().strip_prefix('@')
}

/// The path of the file that a value of `PROXY_UPSTREAMS` names, with `~` expanded.
pub(super) fn path(text: &str, environment: &Environment) -> Option<PathBuf> {
    file_reference(text).map(|path| expand_home(path, environment))
}

fn read(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "the file is larger than 16 MiB",
        ));
    }
    // Some editors write a byte-order mark.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Expands a leading `~`, as shells do.
fn expand_home(path: &str, environment: &Environment) -> PathBuf {
    let home = environment.get("HOME").or(environment.get("USERPROFILE"));
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}
