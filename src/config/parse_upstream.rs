//! From an upstream as written to one that is valid, or to what is wrong with it.

use std::time::Duration;

use http::HeaderMap;
use jsonc_parser::ast::{Object, Value};

use super::file::Entry;
use super::filter::Globs;
use super::header::header;
use super::key::KEYS;
use super::problem::Problem;
use super::reader::{Context, Reader};
use super::value::{self, kind};
use super::{Filter, Prefix, ServerUrl, TransportChoice, Upstream, UpstreamName};

/// A plain number above this was probably meant as milliseconds, as some clients have it.
const PROBABLY_MILLISECONDS: Duration = Duration::from_secs(3600);

/// Reads an upstream. `None` when it is disabled, of another kind, or has an error;
/// why is added to `problems`.
pub(super) fn read(
    context: &Context<'_>,
    entry: &Entry<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Upstream> {
    let mut reader = Reader::new(context, entry.place.clone(), problems);
    let Some(object) = entry.value.as_object() else {
        let name = entry.key.as_ref().map(|(name, _)| *name);
        let what = name.map_or_else(String::new, |name| format!("`{name}` "));
        let found = kind(entry.value);
        let message = format!("{what}is {found}; an upstream is an object with `name` and `url`");
        reader.error(None, entry.place.clone(), message);
        return None;
    };
    reader.name(entry, object);
    let is_local = object.get("command").is_some();
    // What else a local program has is not for us, and no slip of a key of ours.
    reader.sort(object, &KEYS, !is_local);
    if reader.boolean("disabled").unwrap_or(false) {
        return None;
    }
    if is_local && !reader.fields.contains_key("url") {
        let message = "is a local program, which needs no proxy; configure it in the client itself";
        reader.warn(None, entry.place.clone(), message.to_owned());
        return None;
    }
    reader.upstream()
}

impl<'a> Reader<'a, '_> {
    fn upstream(&mut self) -> Option<Upstream> {
        let url = self.url();
        let transport = self.parsed("transport", TransportChoice::parse);
        let tools = self.filter(["include_tools", "ignore_tools"], "get_*");
        let prompts = self.filter(["include_prompts", "ignore_prompts"], "get_*");
        let resources = self.filter(["include_resources", "ignore_resources"], "file:///*");
        let mut headers = self.headers();
        let prefix = self.prefix();
        let timeouts = self.context.timeouts;
        let timeout = self.time("timeout");
        let first_byte = self.time("first_byte_timeout").or(timeouts.first_byte);
        let max_calls = self.max_calls();
        let oauth = self.oauth(&mut headers);
        if self.failed {
            return None;
        }
        Some(Upstream {
            name: self.name.clone()?,
            url: url?,
            transport: transport.unwrap_or_default(),
            tools: tools?,
            prompts: prompts?,
            resources: resources?,
            headers,
            prefix: prefix.unwrap_or_default(),
            timeout: timeout.unwrap_or(timeouts.timeout),
            first_byte_timeout: first_byte.or(timeout).unwrap_or(timeouts.timeout),
            keep_alive: timeouts.keep_alive,
            max_calls,
            oauth,
        })
    }

    /// Finds the name: the key in an object of upstreams, `name` in an array.
    fn name(&mut self, entry: &Entry<'_>, object: &Object<'_>) {
        let written = object.get("name").map(|property| {
            let place = self.context.document.place_of(&property.value);
            (
                property
                    .value
                    .as_string_lit()
                    .map(|text| text.value.as_ref()),
                place,
            )
        });
        let (name, place) = match (&entry.key, written) {
            (Some((key, place)), _) => (Some(*key), place.clone()),
            (None, Some((Some(name), place))) => (Some(name), place),
            (None, Some((None, place))) => {
                return self.error(
                    Some("name"),
                    place,
                    "is not a string; put it in quotes".to_owned(),
                );
            }
            (None, None) => (None, entry.place.clone()),
        };
        let Some(name) = name else {
            return self.error(
                None,
                place,
                "an upstream without `name`; give it one".to_owned(),
            );
        };
        match UpstreamName::new(name.trim()) {
            Ok(name) => self.name = Some(name),
            Err(message) => self.error(Some("name"), place, message),
        }
    }

    fn url(&mut self) -> Option<ServerUrl> {
        let allow_http = self.boolean("allow_http").unwrap_or(false);
        if !self.fields.contains_key("url") {
            let message = "has no `url`; add the address of the server".to_owned();
            let place = self.place.clone();
            self.error(None, place, message);
            return None;
        }
        let environment = self.context.environment;
        self.parsed("url", |text| {
            let expanded = value::expand(text, environment)?;
            ServerUrl::parse(expanded.trim(), allow_http)
        })
    }

    fn filter(&mut self, keys: [&'static str; 2], example: &str) -> Option<Filter> {
        let [include, ignore] = keys.map(|key| self.globs(key, example));
        Some(Filter::new(include?, ignore?))
    }

    fn globs(&mut self, key: &'static str, example: &str) -> Option<Globs> {
        let globs = self.strings(key, example).unwrap_or_default();
        let place = self.field(key).map(|(place, _)| place);
        let fail = |message| self.error(Some(key), place.unwrap_or(self.place.clone()), message);
        Globs::compile(&globs).map_err(fail).ok()
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some((place, value)) = self.field("headers") else {
            return headers;
        };
        let Some(object) = value.as_object() else {
            let message = format!("is {}; write an object of names and values", kind(value));
            self.error(Some("headers"), place, message);
            return headers;
        };
        for property in &object.properties {
            let name = property.name.as_str();
            let read = match property.value.as_string_lit() {
                Some(text) => header(name, &text.value, self.context.environment),
                None => Err(format!(
                    "`{name}` is {}; put it in quotes",
                    kind(&property.value)
                )),
            };
            match read {
                Ok((name, value)) => drop(headers.insert(name, value)),
                Err(message) => {
                    let place = self.context.document.place_of(&property.value);
                    self.error(Some("headers"), place, message);
                }
            }
        }
        headers
    }

    fn prefix(&mut self) -> Option<Prefix> {
        let (place, value) = self.field("prefix")?;
        let always = || {
            self.name
                .as_ref()
                .map(|name| Prefix::Always(format!("{name}__")))
        };
        match value {
            Value::BooleanLit(given) if given.value => always(),
            Value::BooleanLit(_) => Some(Prefix::Never),
            Value::StringLit(text) => match text.value.as_ref() {
                "always" => always(),
                "auto" => Some(Prefix::OnCollision),
                "never" | "" => Some(Prefix::Never),
                prefix => Some(Prefix::Always(prefix.to_owned())),
            },
            other => {
                let found = kind(other);
                let message = format!("is {found}; write the prefix, or `auto`, `always`, `never`");
                self.error(Some("prefix"), place, message);
                None
            }
        }
    }

    fn max_calls(&mut self) -> Option<usize> {
        let (place, value) = self.field("max_calls")?;
        let number = value.as_number_lit().map(|number| number.value);
        let number = number.or_else(|| value.as_string_lit().map(|text| &*text.value));
        match number.and_then(|number| number.trim().parse().ok()) {
            Some(calls) if calls > 0 => Some(calls),
            _ => {
                let message = "is not a number of calls; write one from 1 on".to_owned();
                self.error(Some("max_calls"), place, message);
                None
            }
        }
    }

    fn time(&mut self, key: &'static str) -> Option<Duration> {
        let (place, value) = self.field(key)?;
        let read = match value {
            Value::NumberLit(number) => value::duration(number.value),
            Value::StringLit(text) => value::duration(&text.value),
            other => Err(format!("is {}; write seconds, or as in `30s`", kind(other))),
        };
        let number = value.as_number_lit().map(|number| number.value);
        match (read, number) {
            (Ok(duration), Some(number)) if duration > PROBABLY_MILLISECONDS => {
                let message =
                    format!("{number} is read as seconds; write `{number}ms` for milliseconds");
                self.warn(Some(key), place, message);
                Some(duration)
            }
            (Ok(duration), _) => Some(duration),
            (Err(message), Some(number)) if number.len() > 4 => {
                let message = format!("{message}, or `{number}ms` for milliseconds");
                self.error(Some(key), place, message);
                None
            }
            (Err(message), _) => {
                self.error(Some(key), place, message);
                None
            }
        }
    }
}
