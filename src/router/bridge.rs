//! Translation between the eras of client and upstream, by splicing. Between peers of one era
//! nothing changes but the id and a renamed tool. Pure.

use bytes::Bytes;
use serde_json::json;

use crate::upstream::{Identity, Live, Request, Tool, mirror, next_id};
use crate::wire::splice::decode;
use crate::wire::version::{
    META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_VERSION,
};
use crate::wire::{Era, Message, Splice, members};

/// A client's `tools/call` as its upstream is to get it.
pub(super) fn tool_call(message: &Message, tool: &Tool, client: Era, live: &Live) -> Request {
    let id = next_id();
    let mut splice = Splice::new(message.bytes());
    if let Some(span) = message.id_span() {
        splice.replace(span, id.to_string().into_bytes());
    }
    let params = message.params_span().unwrap_or_default();
    for name in message.params_named("name") {
        let span = name.span();
        if decode(name.value()).as_deref() != Some(&tool.name) {
            let at = params.start + span.start..params.start + span.end;
            splice.replace(at, &tool.quoted_name[..]);
        }
    }
    adapt_meta(&mut splice, message, client, live);
    let arguments = match (live.era, tool.mirrored.is_empty()) {
        (Era::Modern, false) => message.param("arguments"),
        _ => None,
    };
    let arguments = arguments.and_then(|member| std::str::from_utf8(member.value()).ok());
    Request {
        id,
        method: "tools/call",
        body: splice.finish().into(),
        name: (live.era == Era::Modern).then(|| tool.name.clone()),
        mirrored: arguments
            .map(|text| mirror::mirror(&tool.mirrored, text))
            .unwrap_or_default(),
        repeatable: tool.repeatable,
    }
}

/// A modern upstream wants the client's facts with every request; a legacy one got them in the
/// handshake, and one that knows both eras would take them for a modern request
/// (MCP 2026-07-28 § Versioning, Backward Compatibility).
fn adapt_meta(splice: &mut Splice<'_>, message: &Message, client: Era, live: &Live) {
    let params = message.params_span().unwrap_or_default();
    let meta = message.param("_meta").map(|member| {
        let span = member.span();
        params.start + span.start..params.start + span.end
    });
    match (client, live.era, meta) {
        (Era::Legacy, Era::Modern, Some(meta)) => {
            splice.add_members(meta, live.meta_members());
        }
        (Era::Legacy, Era::Modern, None) => {
            splice.add_members(params, format!("\"_meta\":{{{}}}", live.meta_members()));
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

/// An upstream's response as its client is to get it, but for the id.
pub(super) fn response(response: Message, client: Era, upstream: Era) -> Result<Message, String> {
    let (Some(result), Some(span)) = (response.result(), response.result_span()) else {
        return Ok(response);
    };
    let result_type = || members(result).find(|member| member.key() == "resultType");
    match (client, upstream) {
        (Era::Modern, Era::Legacy) if result.first() == Some(&b'{') && result_type().is_none() => {
            let mut splice = Splice::new(response.bytes());
            splice.add_members(span, "\"resultType\":\"complete\"");
            Message::parse(splice.finish()).map_err(|e| e.to_string())
        }
        (Era::Legacy, Era::Modern) => match result_type() {
            Some(kind) if kind.value() != br#""complete""# => Err(format!(
                "it answered with a result of type {}, which this client cannot take",
                String::from_utf8_lossy(kind.value())
            )),
            _ => Ok(response),
        },
        _ => Ok(response),
    }
}

/// `notifications/cancelled` for an upstream, under the id that it knows.
pub(super) fn cancelled(notification: &Message, serial: u64) -> Bytes {
    let mut splice = Splice::new(notification.bytes());
    if let (Some(id), Some(params)) = (notification.param("requestId"), notification.params_span())
    {
        let span = id.span();
        splice.replace(
            params.start + span.start..params.start + span.end,
            serial.to_string().into_bytes(),
        );
    }
    splice.finish().into()
}

/// `notifications/cancelled` when it is we who leave.
pub(super) fn cancelled_by_us(serial: u64) -> Bytes {
    let params = json!({"requestId": serial, "reason": "the client has left"});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        .to_string()
        .into()
}

/// What a client says of itself in a request of either era; `None` where it says nothing.
pub(super) fn identity(request: &Message) -> Option<Identity> {
    let meta = request.param("_meta");
    let modern =
        meta.and_then(|meta| members(meta.value()).find(|member| member.key() == META_CLIENT_INFO));
    let info = modern.or_else(|| request.param("clientInfo"))?;
    let is_object = info.value().first() == Some(&b'{');
    is_object.then(|| Identity {
        client_info: String::from_utf8_lossy(info.value()).into_owned(),
    })
}

#[cfg(test)]
#[path = "bridge_tests.rs"]
mod tests;
