//! Parses an upstream, or reports its problems.

use std::time::Duration;

use http::HeaderMap;
use jsonc_parser::ast::{Object, Value};

use super::file::Entry;
use super::filter::Globs;
use super::header::header;
use super::key::KEYS;
use super::oauth;
use super::problem::Problem;
use super::reader::{Context, Reader};
use super::value::{self, kind};
use super::{Filter, Prefix, ServerUrl, TransportChoice, Upstream, UpstreamName};

/// A plain number above this is probably meant as milliseconds, which some clients use.
const PROBABLY_MILLISECONDS: Duration = Duration::from_secs(3600);

/// Reads an upstream. Returns `None` if it is disabled, a local program, or has an error; adds errors
/// and warnings to `problems`.
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
    name(&mut reader, entry, object);
    let is_local = object.get("command").is_some();
    // Further keys of a local program are not misspelled keys of an upstream.
    reader.collect_fields(object, &KEYS, !is_local);
    if reader.boolean("disabled").unwrap_or(false) {
        return None;
    }
    if is_local && !reader.fields.contains_key("url") {
        let message = "is a local program, which needs no proxy; configure it in the client itself";
        reader.warn(None, entry.place.clone(), message.to_owned());
        return None;
    }
    upstream(&mut reader)
}

fn upstream(reader: &mut Reader<'_, '_>) -> Option<Upstream> {
    let url = url(reader);
    let transport = reader.parsed("transport", TransportChoice::parse);
    let tools = filter(reader, ["include_tools", "ignore_tools"], "get_*");
    let prompts = filter(reader, ["include_prompts", "ignore_prompts"], "get_*");
    let resources = filter(
        reader,
        ["include_resources", "ignore_resources"],
        "file:///*",
    );
    let mut headers = headers(reader);
    let prefix = prefix(reader);
    let timeouts = reader.context.timeouts;
    let timeout = time(reader, "timeout");
    let first_byte = time(reader, "first_byte_timeout").or(timeouts.first_byte);
    let max_calls = max_calls(reader);
    let oauth = oauth::read(reader, &mut headers);
    if reader.failed {
        return None;
    }
    Some(Upstream {
        name: reader.name.clone()?,
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

/// Reads the name: the key in an object of upstreams, `name` in an array.
fn name(reader: &mut Reader<'_, '_>, entry: &Entry<'_>, object: &Object<'_>) {
    let written = object.get("name").map(|property| {
        let place = reader.context.document.place_of(&property.value);
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
            return reader.error(
                Some("name"),
                place,
                "is not a string; put it in quotes".to_owned(),
            );
        }
        (None, None) => (None, entry.place.clone()),
    };
    let Some(name) = name else {
        return reader.error(
            None,
            place,
            "an upstream without `name`; give it one".to_owned(),
        );
    };
    match UpstreamName::new(name.trim()) {
        Ok(name) => reader.name = Some(name),
        Err(message) => reader.error(Some("name"), place, message),
    }
}

fn url(reader: &mut Reader<'_, '_>) -> Option<ServerUrl> {
    let allow_http = reader.boolean("allow_http").unwrap_or(false);
    if !reader.fields.contains_key("url") {
        let message = "has no `url`; add the address of the server".to_owned();
        let place = reader.place.clone();
        reader.error(None, place, message);
        return None;
    }
    let environment = reader.context.environment;
    reader.parsed("url", |text| {
        let expanded = value::expand(text, environment)?;
        ServerUrl::parse(expanded.trim(), allow_http)
    })
}

fn filter(reader: &mut Reader<'_, '_>, keys: [&'static str; 2], example: &str) -> Option<Filter> {
    let [include, ignore] = keys.map(|key| globs(reader, key, example));
    Some(Filter::new(include?, ignore?))
}

fn globs(reader: &mut Reader<'_, '_>, key: &'static str, example: &str) -> Option<Globs> {
    let globs = reader.strings(key, example).unwrap_or_default();
    let place = reader.field(key).map(|(place, _)| place);
    let fail = |message| reader.error(Some(key), place.unwrap_or(reader.place.clone()), message);
    Globs::compile(&globs).map_err(fail).ok()
}

fn headers(reader: &mut Reader<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some((place, value)) = reader.field("headers") else {
        return headers;
    };
    let Some(object) = value.as_object() else {
        let message = format!("is {}; write an object of names and values", kind(value));
        reader.error(Some("headers"), place, message);
        return headers;
    };
    for property in &object.properties {
        let name = property.name.as_str();
        let read = match property.value.as_string_lit() {
            Some(text) => header(name, &text.value, reader.context.environment),
            None => Err(format!(
                "`{name}` is {}; put it in quotes",
                kind(&property.value)
            )),
        };
        match read {
            Ok((name, value)) => drop(headers.insert(name, value)),
            Err(message) => {
                let place = reader.context.document.place_of(&property.value);
                reader.error(Some("headers"), place, message);
            }
        }
    }
    headers
}

fn prefix(reader: &mut Reader<'_, '_>) -> Option<Prefix> {
    let (place, value) = reader.field("prefix")?;
    let always = || {
        reader
            .name
            .as_ref()
            .map(|name| Prefix::Always(format!("{name}__")))
    };
    match value {
        Value::BooleanLit(boolean) if boolean.value => always(),
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
            reader.error(Some("prefix"), place, message);
            None
        }
    }
}

fn max_calls(reader: &mut Reader<'_, '_>) -> Option<usize> {
    let (place, value) = reader.field("max_calls")?;
    let number = value.as_number_lit().map(|number| number.value);
    let number = number.or_else(|| value.as_string_lit().map(|text| &*text.value));
    match number.and_then(|number| number.trim().parse().ok()) {
        Some(calls) if calls > 0 => Some(calls),
        _ => {
            let message = "is not a number of calls; write one from 1 on".to_owned();
            reader.error(Some("max_calls"), place, message);
            None
        }
    }
}

fn time(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<Duration> {
    let (place, value) = reader.field(key)?;
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
            reader.warn(Some(key), place, message);
            Some(duration)
        }
        (Ok(duration), _) => Some(duration),
        (Err(message), Some(number)) if number.len() > 4 => {
            let message = format!("{message}, or `{number}ms` for milliseconds");
            reader.error(Some(key), place, message);
            None
        }
        (Err(message), _) => {
            reader.error(Some(key), place, message);
            None
        }
    }
}
