//! Translation between the eras of client and upstream, by splicing. Between peers of one era
//! nothing changes but the id and a renamed tool. Pure.

pub(super) mod input;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::json;

use crate::upstream::mirror::{self, MirroredParam};
use crate::upstream::{Live, Request, Tool, next_id};
use crate::wire::outgoing::code;
use crate::wire::splice::decode;
use crate::wire::version::{
    META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_VERSION,
};
use crate::wire::{Era, Line, Message, Splice, members};

use super::client::Speaker;

/// By which legacy servers say that there is no such resource; modern ones must not.
const RESOURCE_NOT_FOUND: &[u8] = b"-32002";

/// What a request is for at its upstream.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The method.
    pub(super) method: Cow<'static, str>,
    /// The parameter that names what is asked for, if one does.
    key: Option<&'static str>,
    /// What the upstream itself calls it, and the same as it wrote it.
    native: &'a str,
    quoted: &'a [u8],
    /// The arguments that go into headers as well.
    mirrored: &'a [MirroredParam],
    /// Whether doing it twice does nothing twice.
    pub(super) repeatable: bool,
}

impl<'a> Target<'a> {
    /// A call of this tool.
    pub(super) fn tool(tool: &'a Tool) -> Self {
        Self {
            method: "tools/call".into(),
            key: Some("name"),
            native: &tool.name,
            quoted: &tool.quoted_name,
            mirrored: &tool.mirrored,
            repeatable: tool.repeatable,
        }
    }

    /// A request that changes nothing, for what is known by `key`.
    pub(super) fn read(
        method: &'static str,
        key: &'static str,
        native: &'a str,
        quoted: &'a [u8],
    ) -> Self {
        Self {
            method: method.into(),
            key: Some(key),
            native,
            quoted,
            mirrored: &[],
            repeatable: true,
        }
    }
}

impl Target<'static> {
    /// A request that only an extension knows: whatever it does, it is not to be done twice.
    pub(super) fn extension(method: &str) -> Self {
        Self {
            method: method.to_owned().into(),
            key: None,
            native: "",
            quoted: b"",
            mirrored: &[],
            repeatable: false,
        }
    }
}

/// A client's request as its upstream is to get it. `input` are members for the parameters:
/// what the upstream asked for before.
pub(super) fn request(
    message: &Message,
    target: &Target<'_>,
    speaker: &Speaker,
    live: &Live,
    input: Option<&str>,
) -> Request {
    let id = next_id();
    let mut splice = Splice::new(message.bytes());
    if let Some(span) = message.id_span() {
        splice.replace(span, id.to_string().into_bytes());
    }
    let params = message.params_span().unwrap_or_default();
    for named in target
        .key
        .into_iter()
        .flat_map(|key| message.params_named(key))
    {
        if decode(named.value()).as_deref() != Some(target.native) {
            splice.replace(named.span_from(params.start), target.quoted);
        }
    }
    adapt_meta(&mut splice, message, speaker, live);
    if let Some(input) = input {
        splice.add_members(params.clone(), input);
    }
    if (speaker.era, live.era) == (Era::Modern, Era::Legacy) && input::is_retry(message) {
        splice.remove_members(params.clone(), |member| {
            input::MEMBERS.contains(&&*member.key())
        });
    }
    let arguments = match (live.era, target.mirrored.is_empty()) {
        (Era::Modern, false) => message.param("arguments"),
        _ => None,
    };
    let arguments = arguments.and_then(|member| std::str::from_utf8(member.value()).ok());
    Request {
        id,
        method: target.method.clone(),
        body: splice.finish().into(),
        name: target
            .key
            .filter(|_| live.era == Era::Modern)
            .map(|_| target.native.into()),
        mirrored: arguments
            .map(|text| mirror::mirror(target.mirrored, text))
            .unwrap_or_default(),
    }
}

/// A modern upstream wants the client's facts with every request; a legacy one got them in the
/// handshake, and one that knows both eras would take them for a modern request
/// (MCP 2026-07-28 § Versioning, Backward Compatibility).
fn adapt_meta(splice: &mut Splice<'_>, message: &Message, speaker: &Speaker, live: &Live) {
    let params = message.params_span().unwrap_or_default();
    let meta = message.param("_meta");
    let meta = meta.map(|meta| meta.span_from(params.start));
    match (speaker.era, live.era, meta) {
        (Era::Legacy, Era::Modern, Some(meta)) => {
            splice.add_members(meta, meta_members(speaker));
        }
        (Era::Legacy, Era::Modern, None) => {
            splice.add_members(params, format!("\"_meta\":{{{}}}", meta_members(speaker)));
        }
        (Era::Modern, Era::Legacy, Some(meta)) => {
            let modern = [
                META_VERSION,
                META_CLIENT_INFO,
                META_CLIENT_CAPABILITIES,
                META_LOG_LEVEL,
            ];
            splice.remove_members(meta, |member| modern.contains(&&*member.key()));
        }
        _ => {}
    }
}

/// What a modern upstream must be told in `_meta`, and may be: a legacy client's log level.
fn meta_members(speaker: &Speaker) -> String {
    let mut members = speaker.identity.meta_members().to_owned();
    if let Some(level) = speaker.level {
        members += &format!(",\"{META_LOG_LEVEL}\":\"{}\"", level.as_str());
    }
    members
}

/// An upstream's response as its client is to get it, but for the id.
pub(super) fn response(
    response: Message,
    method: &str,
    client: Era,
    upstream: Era,
) -> Result<Message, String> {
    match (client, upstream) {
        (Era::Modern, Era::Legacy) => modernised(response, method),
        (Era::Legacy, Era::Modern) => match result_type(&response) {
            Some(kind) if kind != br#""complete""# => Err(format!(
                "it answered with a result of type {}, which this client cannot take",
                String::from_utf8_lossy(kind)
            )),
            _ => Ok(response),
        },
        _ => Ok(response),
    }
}

fn result_type(response: &Message) -> Option<&[u8]> {
    let mut result = members(response.result()?);
    Some(result.find(|member| member.key() == "resultType")?.value())
}

/// Adds what the modern era has and the legacy ones had not (MCP 2026-07-28 § Basic, Results,
/// § Caching, § Error Codes).
fn modernised(response: Message, method: &str) -> Result<Message, String> {
    let mut splice = Splice::new(response.bytes());
    let is_read = method == "resources/read";
    if let (Some(result), Some(span)) = (response.result(), response.result_span()) {
        let has = |key: &str| members(result).any(|member| member.key() == key);
        let mut added = Vec::new();
        if !has("resultType") {
            added.push(r#""resultType":"complete""#);
        }
        if is_read && !has("ttlMs") && !has("cacheScope") {
            added.push(r#""ttlMs":0,"cacheScope":"private""#);
        }
        if added.is_empty() || result.first() != Some(&b'{') {
            return Ok(response);
        }
        splice.add_members(span, added.join(","));
    } else if let (true, Some(error), Some(span)) =
        (is_read, response.error(), response.error_span())
    {
        let code = members(error).find(|member| member.key() == "code");
        let Some(code) = code.filter(|code| code.value() == RESOURCE_NOT_FOUND) else {
            return Ok(response);
        };
        let at = code.span_from(span.start);
        splice.replace(at, code::INVALID_PARAMS.to_string().into_bytes());
    } else {
        return Ok(response);
    }
    Message::parse(splice.finish()).map_err(|e| e.to_string())
}

/// `notifications/cancelled` under the id that its receiver knows.
pub(super) fn cancelled(notification: &Message, id: Vec<u8>) -> Bytes {
    let mut splice = Splice::new(notification.bytes());
    let member = notification.param("requestId");
    if let (Some(member), Some(params)) = (member, notification.params_span()) {
        splice.replace(member.span_from(params.start), id);
    }
    splice.finish().into()
}

/// The refusal of an upstream's request when the client owes too many answers already.
pub(super) fn overloaded(request: &Message) -> Bytes {
    let id = request.id().unwrap_or_else(|| Bytes::from_static(b"null"));
    let text = "the client has too many requests to answer; try again later";
    Line::error(&id, code::INTERNAL_ERROR, text, &serde_json::Value::Null).into_bytes()
}

/// `notifications/cancelled` when it is we who give up.
pub(super) fn cancelled_by_us(serial: u64, reason: &str) -> Bytes {
    let params = json!({"requestId": serial, "reason": reason});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        .to_string()
        .into()
}

#[cfg(test)]
mod tests;
