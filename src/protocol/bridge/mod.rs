//! Translates messages between the eras of client and upstream by splicing. Between peers of one
//! era, only the id and a renamed tool change. Pure.

pub(crate) mod input;
pub(crate) mod target;

use bytes::Bytes;
use serde_json::Value;

use crate::protocol::Era;
use crate::protocol::revision::{
    META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_VERSION,
};
use crate::protocol::{Caller, Request, ServerProfile, ServerRequests};
use crate::wire::outgoing::code;
use crate::wire::{Line, Member, Message, Splice, members};

use super::task::TaskMode;
use super::tasks_extension;
use target::Target;

/// The error code of legacy servers for a missing resource. Modern servers must not use it.
const RESOURCE_NOT_FOUND: &[u8] = b"-32002";

/// Translates a client's request for an upstream. `input` are further members of `params`: the
/// responses to earlier input requests.
pub(crate) fn request(
    id: u64,
    message: &Message,
    target: &Target<'_>,
    caller: &Caller,
    server: &ServerProfile,
    input: Option<&str>,
) -> Request {
    let mut splice = Splice::new(message.bytes());
    if let Some(span) = message.id_span() {
        splice.replace(span, id.to_string().into_bytes());
    }
    let params = message.params_span().unwrap_or_default();
    target.replace_name(&mut splice, message);
    let meta = adapt_meta(&mut splice, message, caller, server);
    let is_task = target.task_mode == TaskMode::ProxyLegacy
        && message.param("task").is_none()
        && server.declares_task_capability("/requests/tools/call");
    let task = is_task.then(|| "\"task\":{}".to_owned());
    let input = input.map(str::to_owned);
    let added: Vec<_> = meta.into_iter().chain(task).chain(input).collect();
    add_params(&mut splice, message, &added.join(","));
    if (caller.era, server.era) == (Era::Modern, Era::Legacy) && input::is_retry(message) {
        splice.remove_members(params, |member| {
            input::RETRY_MEMBERS.contains(&&*member.key())
        });
    }
    let mut body = splice.finish();
    if target.task_mode == TaskMode::ProxyModern && server.era == Era::Modern {
        body = tasks_extension::declare(body);
    }
    Request {
        id,
        method: target.method.clone(),
        body: body.into(),
        name: target.name_header(server.era),
        param_headers: target.param_headers(message, server.era),
        server_requests: server_requests(caller, server.era, &target.method),
    }
}

/// How the client receives server requests during this request. Modern upstreams send them only as
/// results.
fn server_requests(caller: &Caller, upstream: Era, method: &str) -> ServerRequests {
    match (caller.era, upstream) {
        _ if !caller.profile.supports_server_requests() => ServerRequests::Unsupported,
        (Era::Legacy, Era::Legacy) => ServerRequests::AsRequests,
        (Era::Modern, Era::Legacy) if input::supports_input(method) => ServerRequests::AsResult,
        _ => ServerRequests::Unsupported,
    }
}

/// Adds the client's profile to `_meta` for a modern upstream and removes it for a legacy one. An upstream of
/// both eras would otherwise take the request for a modern one (MCP 2026-07-28 § Versioning, Backward
/// Compatibility). Returns `_meta` if the request has none.
fn adapt_meta(
    splice: &mut Splice<'_>,
    message: &Message,
    caller: &Caller,
    server: &ServerProfile,
) -> Option<String> {
    let params = message.params_span().unwrap_or_default();
    let meta = message.param("_meta");
    let is_object = meta.as_ref().is_some_and(|it| it.value().starts_with(b"{"));
    let meta = meta.map(|meta| meta.span_from(params.start));
    match (caller.era, server.era, meta) {
        (Era::Legacy, Era::Modern, Some(meta)) if is_object => {
            splice.add_members(meta, meta_members(caller));
        }
        (Era::Legacy, Era::Modern, Some(meta)) => {
            splice.replace(meta, format!("{{{}}}", meta_members(caller)).into_bytes());
        }
        (Era::Legacy, Era::Modern, None) => {
            return Some(format!("\"_meta\":{{{}}}", meta_members(caller)));
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
    None
}

/// Adds members to `params`, and `params` itself if it is missing.
fn add_params(splice: &mut Splice<'_>, message: &Message, added: &str) {
    match (message.params(), message.params_span()) {
        _ if added.is_empty() => {}
        (Some([b'{', ..]), Some(params)) => {
            splice.add_members(params, added);
        }
        // Positional parameters, which MCP does not use.
        (Some(_), _) => {}
        (None, _) => {
            let whole = 0..message.bytes().len();
            splice.add_members(whole, format!("\"params\":{{{added}}}"));
        }
    }
}

/// The members of `_meta` for a modern upstream: the client's profile, and its log level if set.
fn meta_members(caller: &Caller) -> String {
    let mut members = caller.profile.meta_members().to_owned();
    if let Some(level) = caller.log_level {
        members += &format!(",\"{META_LOG_LEVEL}\":\"{}\"", level.as_str());
    }
    members
}

/// Translates an upstream's response for a client, except for the id.
///
/// # Errors
/// The reason why the client's era cannot express the result.
pub(crate) fn response(
    response: Message,
    method: &str,
    client: Era,
    upstream: Era,
) -> Result<Message, String> {
    match (client, upstream) {
        (Era::Modern, Era::Legacy) => to_modern_response(response, method),
        (Era::Legacy, Era::Modern) => match result_type(&response) {
            Some(kind) if kind != br#""complete""# => Err(format!(
                "the server returned a result of type {}, which this client does not support",
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

/// Removes `structuredContent` that is not an object, since legacy clients would reject the result.
/// Its `content` has the same as text (MCP 2026-07-28 § Tools, Structured Content).
pub(crate) fn without_modern_output(response: Message) -> Message {
    let Some((result, span)) = response.result().zip(response.result_span()) else {
        return response;
    };
    let is_modern = |member: &Member<'_>| {
        member.key() == "structuredContent" && member.value().first() != Some(&b'{')
    };
    if !members(result).any(|member| is_modern(&member)) {
        return response;
    }
    let mut splice = Splice::new(response.bytes());
    splice.remove_members(span, is_modern);
    Message::parse(splice.finish()).unwrap_or(response)
}

/// Adds the members that modern results require, and replaces the legacy error code
/// (MCP 2026-07-28 § Basic, Results, § Caching, § Error Codes).
fn to_modern_response(response: Message, method: &str) -> Result<Message, String> {
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

/// Replaces a parameter of a notification: an id or token by the one that the receiver knows.
pub(crate) fn with_param(notification: &Message, key: &str, value: &[u8]) -> Bytes {
    let mut splice = Splice::new(notification.bytes());
    let member = notification.param(key);
    if let (Some(member), Some(params)) = (member, notification.params_span()) {
        splice.replace(member.span_from(params.start), value.to_vec());
    }
    splice.finish().into()
}

/// Replaces the progress token of a request; `None` if it has none.
pub(crate) fn with_progress_token(request: &Message, token: &str) -> Option<Message> {
    let meta = request.param("_meta")?;
    let start = request.params_span()?.start + meta.span().start;
    let mut splice = Splice::new(request.bytes());
    for member in members(meta.value()).filter(|member| member.key() == "progressToken") {
        splice.replace(member.span_from(start), token.as_bytes().to_vec());
    }
    Message::parse(splice.finish()).ok()
}

/// The error for a server request when the client has too many unanswered ones.
pub(crate) fn too_many_server_requests(request: &Message) -> Bytes {
    let id = request.id().unwrap_or_else(|| Bytes::from_static(b"null"));
    let text = "the client has too many unanswered requests; try again later";
    Line::error(&id, code::INTERNAL_ERROR, text, &Value::Null).into_bytes()
}

#[cfg(test)]
mod tests;
