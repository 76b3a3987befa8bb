//! The subscription id in `_meta` of a notification (MCP 2026-07-28 § Subscriptions): added for a
//! `subscriptions/listen`, removed for a legacy client. All other bytes stay. Pure.

use std::ops::Range;

use bytes::Bytes;

use crate::wire::{Line, Member, Message, Splice, members};

/// The member of `_meta` that holds the subscription id.
const KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// A notification by the proxy for the listen `id`. `params` are the members after `_meta`, each
/// with a leading comma.
pub(crate) fn notification(method: &str, id: &[u8], params: &str) -> Line {
    let head = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"_meta":"#);
    let parts = [head.as_bytes(), &meta_object(id), params.as_bytes(), b"}}"];
    Line::whole(parts.concat().into())
}

/// The result that ends the listen `id`.
pub(crate) fn result(id: &[u8]) -> Line {
    let head = b"{\"resultType\":\"complete\",\"_meta\":";
    Line::result(id, [head, &meta_object(id)[..], b"}"].concat())
}

/// The notification that the proxy ends the listen `id`.
pub(crate) fn cancelled_notification(id: &[u8]) -> Line {
    let id_text = String::from_utf8_lossy(id);
    let params = format!(r#","requestId":{id_text},"reason":"the proxy is shutting down""#);
    notification("notifications/cancelled", id, &params)
}

/// Returns a notification with the subscription id of the listen `id`.
pub(crate) fn with_subscription_id(message: &Message, id: &[u8]) -> Line {
    let mut splice = Splice::new(message.bytes());
    let meta = meta_object(id);
    match (message.params(), message.params_span()) {
        (Some(params), Some(span)) if params.first() == Some(&b'{') => {
            let mut has_meta = false;
            for member in message.params_named("_meta") {
                has_meta = true;
                set_subscription_id(&mut splice, &member, span.start, id);
            }
            if !has_meta {
                splice.add_members(span, [b"\"_meta\":", &meta[..]].concat());
            }
        }
        (_, Some(span)) => {
            splice.replace(span, [b"{\"_meta\":", &meta[..], b"}"].concat());
        }
        (_, None) => {
            let params = [b"\"params\":{\"_meta\":", &meta[..], b"}"].concat();
            splice.add_members(0..message.bytes().len(), params);
        }
    }
    Line::whole(splice.finish().into())
}

fn set_subscription_id(
    splice: &mut Splice<'_>,
    meta_member: &Member<'_>,
    params: usize,
    id: &[u8],
) {
    let (written, span) = (meta_member.value(), meta_member.span_from(params));
    if written.first() != Some(&b'{') {
        splice.replace(span, meta_object(id));
        return;
    }
    let mut has_subscription_id = false;
    for member in members(written).filter(|member| member.key() == KEY) {
        has_subscription_id = true;
        splice.replace(member.span_from(span.start), id.to_vec());
    }
    if !has_subscription_id {
        splice.add_members(span, [b"\"", KEY.as_bytes(), b"\":", id].concat());
    }
}

/// Returns a notification without the id of the proxy's own subscription at a modern upstream.
pub(crate) fn without_subscription_id(message: &Message) -> Bytes {
    let Some(params) = message.params_span() else {
        return message.bytes().clone();
    };
    let subscription_ids = |meta: &Member<'_>| {
        let mut keys = members(meta.value()).map(|member| member.key() == KEY);
        (keys.clone().any(|is_tag| is_tag), keys.all(|is_tag| is_tag))
    };
    let metas: Vec<_> = message.params_named("_meta").collect();
    if !metas.iter().any(|meta| subscription_ids(meta).0) {
        return message.bytes().clone();
    }
    let mut splice = Splice::new(message.bytes());
    let is_bare =
        |member: &Member<'_>| member.key() == "_meta" && subscription_ids(member) == (true, true);
    splice.remove_members(params.clone(), is_bare);
    for meta in metas.iter().filter(|meta| !is_bare(meta)) {
        let span: Range<usize> = meta.span_from(params.start);
        splice.remove_members(span, |member| member.key() == KEY);
    }
    splice.finish().into()
}

fn meta_object(id: &[u8]) -> Vec<u8> {
    [b"{\"", KEY.as_bytes(), b"\":", id, b"}"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{ "jsonrpc":"2.0","method":"m""#;

    fn message(params: &str) -> Message {
        Message::parse(format!("{HEAD}{params}}}")).unwrap()
    }

    fn check(params: &str, tagged_params: &str, untagged_params: &str) {
        let message = message(params);
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let tagged = text(with_subscription_id(&message, br#""\u0061""#).into_bytes());
        let expected = tagged_params
            .replace("KEY", KEY)
            .replace("ID", r#""\u0061""#);
        assert_eq!(tagged, expected.replace("HEAD", HEAD), "{params}");
        let untagged = text(without_subscription_id(&message));
        assert_eq!(
            untagged,
            format!("{HEAD}{}}}", untagged_params.replace("KEY", KEY))
        );
    }

    #[test]
    fn only_the_subscription_id_is_added_or_removed() {
        check(
            "",
            r#"{"params":{"_meta":{"KEY":ID}}, "jsonrpc":"2.0","method":"m"}"#,
            "",
        );
        check(
            r#","params":{"uri":"\u0062", "n":1E2}"#,
            r#"HEAD,"params":{"_meta":{"KEY":ID},"uri":"\u0062", "n":1E2}}"#,
            r#","params":{"uri":"\u0062", "n":1E2}"#,
        );
        check(
            r#","params":{"uri":"b", "_meta" : {"x":[ ]} }"#,
            r#"HEAD,"params":{"uri":"b", "_meta" : {"KEY":ID,"x":[ ]} }}"#,
            r#","params":{"uri":"b", "_meta" : {"x":[ ]} }"#,
        );
        let key = KEY.replace('/', "\\/");
        check(
            &format!(r#","params":{{"_meta":{{"x":1,"{key}": 7 }},"uri":"b"}}"#),
            &format!(r#"HEAD,"params":{{"_meta":{{"x":1,"{key}": ID }},"uri":"b"}}}}"#),
            r#","params":{"_meta":{"x":1 },"uri":"b"}"#,
        );
        check(
            &format!(r#","params":{{"_meta":{{"{KEY}":7}},"uri":"b"}}"#),
            r#"HEAD,"params":{"_meta":{"KEY":ID},"uri":"b"}}"#,
            r#","params":{"uri":"b"}"#,
        );
        check(
            r#","params":{"_meta":null}"#,
            r#"HEAD,"params":{"_meta":{"KEY":ID}}}"#,
            r#","params":{"_meta":null}"#,
        );
        check(
            r#","params":[1]"#,
            r#"HEAD,"params":{"_meta":{"KEY":ID}}}"#,
            r#","params":[1]"#,
        );
        check(
            r#","params":{"_meta":{}}"#,
            r#"HEAD,"params":{"_meta":{"KEY":ID}}}"#,
            r#","params":{"_meta":{}}"#,
        );
    }

    #[test]
    fn the_messages_that_end_a_listen_name_its_id() {
        let text = |line: Line| String::from_utf8(line.into_bytes().to_vec()).unwrap();
        insta::assert_snapshot!(text(cancelled_notification(b"1.0")), @r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1.0},"requestId":1.0,"reason":"the proxy is shutting down"}}"#);
        insta::assert_snapshot!(text(result(b"1.0")), @r#"{"jsonrpc":"2.0","id":1.0,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1.0}}}"#);
    }
}
