//! Requests, responses and errors of the tasks extension (SEP-2663 § Capability Negotiation). Pure.

use bytes::Bytes;

use crate::protocol::revision::META_CLIENT_CAPABILITIES;
use crate::wire::outgoing::code;
use crate::wire::splice::last_member;
use crate::wire::{Message, Splice, members};

/// The name of the modern extension (SEP-2663 § Extension Identifier).
pub(crate) const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a modern request declares the extension.
pub(crate) fn is_declared(request: &Message) -> bool {
    let Some(meta) = request.param("_meta") else {
        return false;
    };
    let extensions = last_member(meta.value(), META_CLIENT_CAPABILITIES)
        .and_then(|capabilities| last_member(capabilities.value(), "extensions"));
    extensions.is_some_and(|extensions| last_member(extensions.value(), TASKS_EXTENSION).is_some())
}

/// Whether a server rejected a request because the extension was not declared. Such a request has not run.
pub(crate) fn is_required(response: &Message) -> bool {
    if response.error_code() != Some(code::MISSING_CAPABILITY) {
        return false;
    }
    let required = ["data", "requiredCapabilities", "extensions"];
    let mut value = response.error().unwrap_or_default();
    for key in required {
        match last_member(value, key) {
            Some(member) => value = member.value(),
            None => return false,
        }
    }
    members(value).any(|member| member.key() == TASKS_EXTENSION)
}

/// Adds the extension to the client capabilities of a request to a modern upstream.
pub(crate) fn declare(body: Vec<u8>) -> Vec<u8> {
    let mut object = 0..body.len();
    for key in ["params", "_meta", META_CLIENT_CAPABILITIES] {
        match last_member(&body[object.clone()], key) {
            Some(member) => object = member.span_from(object.start),
            None => return body,
        }
    }
    let mut splice = Splice::new(&body);
    let extension = format!("\"{TASKS_EXTENSION}\":{{}}");
    match last_member(&body[object.clone()], "extensions") {
        Some(member) if last_member(member.value(), TASKS_EXTENSION).is_some() => return body,
        Some(member) if member.value().first() == Some(&b'{') => {
            splice.add_members(member.span_from(object.start), extension);
        }
        Some(member) => {
            splice.replace(
                member.span_from(object.start),
                format!("{{{extension}}}").into_bytes(),
            );
        }
        None => {
            splice.add_members(object, format!("\"extensions\":{{{extension}}}"));
        }
    }
    splice.finish()
}

/// A request about a task, derived from the call that created it. It keeps the call's `_meta`, which
/// names the client to a modern upstream, except the progress token. `input` are further parameters.
pub(crate) fn task_request(
    call: &Message,
    method: &str,
    quoted_id: &[u8],
    input: Option<&str>,
) -> Option<Message> {
    let mut meta = Vec::new();
    if let Some(member) = call
        .param("_meta")
        .filter(|m| m.value().first() == Some(&b'{'))
    {
        let mut splice = Splice::new(member.value());
        splice.remove_members(0..member.value().len(), |member| {
            member.key() == "progressToken"
        });
        meta = [&b"\"_meta\":"[..], &splice.finish(), b","].concat();
    }
    let head = format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{method}","params":{{"#);
    let input = input.map_or_else(String::new, |input| format!(",{input}"));
    let input = input.as_bytes();
    let parts: [&[u8]; 6] = [
        head.as_bytes(),
        &meta,
        b"\"taskId\":",
        quoted_id,
        input,
        b"}}",
    ];
    Message::parse(parts.concat()).ok()
}

/// The response to the call of a finished task, with this member: `result` or `error`.
pub(crate) fn task_response(member: &str, value: &[u8]) -> Option<Message> {
    let head = format!(r#"{{"jsonrpc":"2.0","id":0,"{member}":"#);
    Message::parse(Bytes::from([head.as_bytes(), value, b"}"].concat())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_declared_once_and_beside_others() {
        for (before, after) in [
            (
                "{}",
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
            ),
            (
                r#"{ "roots":{} }"#,
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}, "roots":{} }"#,
            ),
            (
                r#"{"extensions":{"a/b":1.0}}"#,
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"a/b":1.0}}"#,
            ),
            (
                r#"{"extensions":null}"#,
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
            ),
            (
                r#"{"extensions":{"io.modelcontextprotocol\/tasks":{ }}}"#,
                r#"{"extensions":{"io.modelcontextprotocol\/tasks":{ }}}"#,
            ),
        ] {
            let body = |capabilities: &str| {
                format!(
                    r#"{{"id":1,"method":"m","params":{{"_meta":{{"x":1,"{META_CLIENT_CAPABILITIES}":{capabilities}}}}}}}"#
                )
            };
            let declared = declare(body(before).into_bytes());
            assert_eq!(String::from_utf8(declared.clone()).unwrap(), body(after));
            assert!(is_declared(&Message::parse(declared).unwrap()));
        }
        for other in [
            "{}",
            "[]",
            r#"{"params":{}}"#,
            r#"{"params":{"_meta":null}}"#,
        ] {
            assert_eq!(declare(other.into()), other.as_bytes());
        }
    }

    #[test]
    fn only_an_error_that_names_the_extension_requires_it() {
        let refusal = |code: i64, data: &str| {
            let text = format!(r#"{{"id":1,"error":{{"code":{code},"data":{data}}}}}"#);
            is_required(&Message::parse(text).unwrap())
        };
        let named =
            r#"{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
        assert!(refusal(-32021, named));
        assert!(!refusal(-32020, named));
        assert!(!refusal(
            -32021,
            r#"{"requiredCapabilities":{"sampling":{}}}"#
        ));
        assert!(!refusal(-32021, "null"));
    }
}
