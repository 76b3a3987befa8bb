//! Envelopes: messages that [`Message::parse`] accepts or rejects, and batches.

use std::ops::Range;

use bytes::Bytes;
use mcp_manifold::wire::{Line, MalformedMessage, Message, MessageKind, members};

use super::oracle::{self, Entry};

/// The members of a JSON-RPC message.
const KNOWN: [&str; 5] = ["id", "method", "params", "result", "error"];

/// Any bytes are a message whose members are where serde_json finds them, or are rejected for the
/// right reason. A batch is split into its parts.
pub(crate) fn envelope(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let text = text.trim_ascii();
    match Message::parse(bytes.clone()) {
        Ok(message) => {
            assert_eq!(message.bytes(), text, "the whole text and no more");
            assert_within(&bytes, message.bytes());
            let object = oracle::object(text).expect("a message is an object");
            check_members(&message, &object);
            check_params(&message);
            check_error_code(&message);
            check_other_id(&message);
        }
        Err(error) => check_refusal(text, &error),
    }
    check_batch(&bytes, text);
}

fn named<'a>(object: &[Entry<'a>], key: &str) -> Vec<&'a [u8]> {
    let named = object.iter().filter(|(name, _)| name == key.as_bytes());
    named.map(|(_, value)| *value).collect()
}

fn check_members(message: &Message, object: &[Entry<'_>]) {
    let bytes = message.bytes();
    let slice = |span: Option<Range<usize>>| span.map(|span| &bytes[span]);
    let id = message.id();
    for (key, found, span) in [
        ("id", id.as_deref(), message.id_span()),
        ("params", message.params(), message.params_span()),
        ("result", message.result(), message.result_span()),
        ("error", message.error(), message.error_span()),
    ] {
        let expected = named(object, key);
        assert!(expected.len() <= 1, "`{key}` twice in a message");
        assert_eq!(found, expected.first().copied(), "{key}");
        assert_eq!(slice(span), found, "the place of `{key}`");
        assert!(found.is_none_or(oracle::is_json), "{key}");
    }
    let method = named(object, "method");
    let has = |key| !named(object, key).is_empty();
    let kind = match (method.is_empty(), has("id")) {
        (false, true) => MessageKind::Request,
        (false, false) => MessageKind::Notification,
        (true, _) => MessageKind::Response,
    };
    assert_eq!(message.kind(), kind);
    assert!(kind != MessageKind::Response || has("result") || has("error"));
    let decoded = method.first().map(|quoted| oracle::string(quoted));
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    assert_eq!(message.method(), decoded.unwrap_or_default());
}

fn check_params(message: &Message) {
    let params = message.params().unwrap_or_default();
    let object = oracle::object(params).unwrap_or_default();
    for (key, _) in &object {
        let Ok(key) = std::str::from_utf8(key) else {
            continue;
        };
        let expected = named(&object, key);
        let found: Vec<_> = message.params_named(key).map(|it| it.value()).collect();
        assert_eq!(found, expected, "{key:?}");
        let last = message.param(key).expect("it is there");
        assert_eq!(&params[last.span()], expected[expected.len() - 1]);
        let start = message.params_span().expect("there are some").start;
        assert_eq!(&message.bytes()[last.span_from(start)], last.value());
    }
    assert!(message.param("\0never written").is_none());
}

fn check_error_code(message: &Message) {
    let object = oracle::object(message.error().unwrap_or_default());
    let codes = named(&object.unwrap_or_default(), "code");
    let code = codes
        .first()
        .and_then(|code| std::str::from_utf8(code).ok());
    let expected = code.and_then(|code| serde_json::from_str::<i64>(code).ok());
    assert_eq!(message.error_code(), expected);
}

/// Asserts that a message with another id is otherwise the same, in one line.
fn check_other_id(message: &Message) {
    let other = Bytes::from_static(b"\"another\"");
    let line = Line::with_id(message, other.clone());
    let length = line.len();
    let line = line.strip_line_breaks().into_bytes();
    assert_eq!(line.len(), length);
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    let again = Message::parse(line).expect("still a message");
    assert_eq!(again.id(), Some(other));
    assert_eq!(again.method(), message.method());
    let flat = |text: &[u8]| -> Vec<u8> {
        let flat = text.iter().map(|&byte| match byte {
            b'\n' | b'\r' => b' ',
            byte => byte,
        });
        flat.collect()
    };
    for (before, after) in [
        (message.params(), again.params()),
        (message.result(), again.result()),
        (message.error(), again.error()),
    ] {
        assert_eq!(before.map(flat), after.map(flat));
    }
    let others = |message: &Message| {
        let all = members(message.bytes()).filter(|member| member.key() != "id");
        let all: Vec<_> = all
            .map(|it| (flat(it.quoted_key()), flat(it.value())))
            .collect();
        all
    };
    assert_eq!(others(message), others(&again));
}

fn check_refusal(text: &[u8], error: &MalformedMessage) {
    let is_text = std::str::from_utf8(text).is_ok();
    match error {
        MalformedMessage::NotUtf8 => assert!(!is_text),
        MalformedMessage::NotJson(_) => assert!(is_text && !oracle::is_json(text), "it is JSON"),
        MalformedMessage::NotAMessage { id, .. } => {
            assert!(oracle::is_json(text), "it is no JSON");
            let object = oracle::object(text).unwrap_or_default();
            let ids = named(&object, "id");
            assert_eq!(id.as_deref(), ids.first().copied());
            let twice = KNOWN.iter().any(|key| named(&object, key).len() > 1);
            let methods = named(&object, "method");
            let is_named = methods.iter().all(|method| method.starts_with(b"\""));
            let says = ["method", "result", "error"];
            let says = says.iter().any(|key| !named(&object, key).is_empty());
            assert!(twice || !is_named || !says, "it is a message");
        }
    }
    assert!(!error.to_string().contains('\n'));
}

fn check_batch(bytes: &Bytes, text: &[u8]) {
    let is_array = oracle::is_json(text) && text.first() == Some(&b'[');
    assert!(!is_array || Message::is_batch(bytes));
    match Message::split_batch(bytes) {
        Ok(parts) => {
            assert!(is_array, "no array was split");
            let mut at = bytes.as_ptr().addr();
            for part in parts {
                assert!(oracle::is_json(&part));
                assert_within(bytes, &part);
                assert!(part.as_ptr().addr() > at, "parts are in order");
                at = part.as_ptr().addr();
            }
        }
        Err(MalformedMessage::NotUtf8) => assert!(std::str::from_utf8(bytes).is_err()),
        Err(_) => assert!(!is_array, "an array was not split"),
    }
}

fn assert_within(whole: &Bytes, part: &Bytes) {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    assert!(
        whole.start <= part.start && part.end <= whole.end,
        "the part is a copy"
    );
}
