//! Parsers of the values in `oauth`. Errors do not quote values that may be secrets.

use jsonc_parser::ast::Value;

use super::address;
use super::redirect::read_port;
use super::variables::report_missing;
use super::{PrivateKey, RedirectUri, Resource};
use crate::config::Secret;
use crate::config::reader::Reader;
use crate::config::value::{self, kind};

/// The parameters that the flow sets itself, each with its configuration key if it has one.
const RESERVED: [(&str, Option<&str>); 8] = [
    ("client_id", Some("client_id")),
    ("code_challenge", None),
    ("code_challenge_method", None),
    ("redirect_uri", Some("redirect_uri")),
    ("resource", Some("resource")),
    ("response_type", None),
    ("scope", Some("scopes")),
    ("state", None),
];

pub(super) fn private_key(reader: &mut Reader<'_, '_>) -> Option<PrivateKey> {
    let environment = reader.context.environment;
    let pem = reader.parsed("private_key_pem", |text| {
        let expanded = value::expand(text, environment)?;
        pem(expanded.trim())
    });
    let algorithms = PrivateKey::ALGORITHMS.map(|name| (name, name));
    let algorithm = reader.word("signing_algorithm", &algorithms);
    match (pem.flatten(), algorithm) {
        (Some(pem), Some(algorithm)) => Some(PrivateKey {
            pem,
            algorithm: algorithm.to_owned(),
        }),
        (Some(_), None) => {
            report_missing(reader, "signing_algorithm", "`private_key_pem`");
            None
        }
        (None, Some(_)) => {
            report_missing(reader, "private_key_pem", "`signing_algorithm`");
            None
        }
        (None, None) => None,
    }
}

pub(super) fn redirect_uri(reader: &mut Reader<'_, '_>) -> Option<RedirectUri> {
    let written = reader.expanded("redirect_uri", RedirectUri::parse);
    let port = reader.number("callback_port", read_port, "write it as in `8123`");
    if written.is_some() && port.is_some() {
        reader.warn_unused("callback_port", "since there is a `redirect_uri`");
    }
    written.or(port.map(RedirectUri::at_port))
}

pub(super) fn scopes(reader: &mut Reader<'_, '_>) -> Option<Vec<String>> {
    let (place, value) = reader.field("scopes")?;
    let written = reader.strings("scopes", "read")?;
    let read = |text: &String| address::scopes(&value::expand(text, reader.context.environment)?);
    let scopes: Result<Vec<_>, _> = written.iter().map(read).collect();
    let scopes = scopes.map_err(|message| reader.error(Some("scopes"), place, message));
    let scopes = scopes.ok()?.concat();
    // An empty text counts as not written; an empty list means no scopes.
    Some(scopes).filter(|scopes| value.as_array().is_some() || !scopes.is_empty())
}

pub(super) fn resource(reader: &mut Reader<'_, '_>) -> Resource {
    let written = reader.field("resource");
    if let Some((_, Value::BooleanLit(boolean))) = written {
        return match boolean.value {
            true => Resource::Discovered,
            false => Resource::Off,
        };
    }
    let read = reader.expanded("resource", |text| match text {
        "off" => Ok(Resource::Off),
        "auto" => Ok(Resource::Discovered),
        uri => address::resource(uri).map(Resource::Uri),
    });
    read.unwrap_or_default()
}

pub(super) fn authorize_params(reader: &mut Reader<'_, '_>) -> Vec<(String, String)> {
    const KEY: &str = "authorize_params";
    let mut params: Vec<(String, String)> = Vec::new();
    let Some((place, value)) = reader.field(KEY) else {
        return params;
    };
    let Some(object) = value.as_object() else {
        let message = format!("is {}; write an object of names and values", kind(value));
        reader.error(Some(KEY), place, message);
        return params;
    };
    for property in &object.properties {
        let name = property.name.as_str();
        match authorize_param(reader, name, &property.value) {
            Ok(value) => {
                params.retain(|(earlier, _)| earlier != name);
                params.extend(value.map(|value| (name.to_owned(), value)));
            }
            Err(message) => {
                let place = reader.context.document.place_of(&property.value);
                reader.error(Some(KEY), place, message);
            }
        }
    }
    params
}

fn authorize_param(
    reader: &mut Reader<'_, '_>,
    name: &str,
    value: &Value<'_>,
) -> Result<Option<String>, String> {
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, Some(key))) => {
            return Err(format!(
                "`{name}` has a key of its own; write it as `oauth.{key}`"
            ));
        }
        Some((_, None)) => {
            return Err(format!(
                "`{name}` is set by mcp-manifold itself; leave it out"
            ));
        }
        None => {}
    }
    let Some(text) = value.as_string_lit() else {
        return Err(format!("`{name}` is {}; put it in quotes", kind(value)));
    };
    let expanded = value::expand(&text.value, reader.context.environment);
    let line = expanded.and_then(|text| Ok(value::line(&text)?.map(str::to_owned)));
    line.map_err(|message| format!("`{name}`: {message}"))
}

/// Parses a private key in PEM, without quoting it in errors. In variables, line breaks are often
/// written as `\n`.
fn pem(text: &str) -> Result<Option<Secret>, String> {
    let text = match text.contains('\n') {
        true => text.to_owned(),
        false => text.replace("\\n", "\n"),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Ok(Some(Secret::new(text)));
    }
    Err(
        "is not a private key in PEM; write all of it, from `-----BEGIN PRIVATE KEY-----` on"
            .to_owned(),
    )
}
