//! Determines the era of a request from the request alone, and whether its method exists in that era.

use serde_json::{Value, json};

use crate::protocol::Era;
use crate::protocol::revision::{
    META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_VERSION, MODERN, supported,
};
use crate::router::is_known_method;
use crate::wire::Message;
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, last_member};

/// Why a request cannot be served in its era.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) text: String,
    pub(super) data: Value,
}

impl Refusal {
    fn new(code: i64, text: String) -> Self {
        Self {
            code,
            text,
            data: Value::Null,
        }
    }

    fn missing_member(key: &str, what: &str) -> Self {
        let text = format!("`_meta` lacks `{key}`, {what}, which revision `{MODERN}` requires");
        Self::new(code::INVALID_PARAMS, text)
    }
}

/// Returns the era of a request: modern if its `_meta` names a revision (MCP 2026-07-28 § Versioning).
pub(super) fn request_era(message: &Message) -> Result<Era, Refusal> {
    let method = message.method();
    let era = declared_era(message, method == "server/discover")?;
    match is_known_method(&method, era) {
        true => Ok(era),
        false => {
            let text = format!("method `{method}` is not known in the {} era", era.as_str());
            Err(Refusal::new(code::METHOD_NOT_FOUND, text))
        }
    }
}

fn declared_era(message: &Message, is_modern: bool) -> Result<Era, Refusal> {
    let meta = message.param("_meta");
    let meta = meta.map(|meta| meta.value()).unwrap_or_default();
    let member = |key: &str| last_member(meta, key);
    let no_version = || Refusal::missing_member(META_VERSION, "a string");
    let Some(version) = member(META_VERSION) else {
        let modern_keys = [META_CLIENT_CAPABILITIES, META_CLIENT_INFO];
        let is_modern = is_modern || modern_keys.into_iter().any(|key| member(key).is_some());
        return match is_modern {
            true => Err(no_version()),
            false => Ok(Era::Legacy),
        };
    };
    let version = decode(version.value()).ok_or_else(no_version)?;
    if version != MODERN {
        let all = supported().join(", ");
        let text = format!("revision `{version}` is not supported; use one of {all}");
        return Err(Refusal {
            data: json!({"supported": supported(), "requested": version}),
            ..Refusal::new(code::UNSUPPORTED_PROTOCOL_VERSION, text)
        });
    }
    let capabilities = member(META_CLIENT_CAPABILITIES);
    match capabilities.is_some_and(|it| it.value().first() == Some(&b'{')) {
        true => Ok(Era::Modern),
        false => Err(Refusal::missing_member(
            META_CLIENT_CAPABILITIES,
            "an object",
        )),
    }
}
