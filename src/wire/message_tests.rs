//! Tests of parsing: valid messages, malformed ones, and batches.

use super::*;

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn members_keep_their_bytes() {
    let text = r#"{"x":1, "id" : 9007199254740993 ,"method":"tools\/call","params":{"n":0.10}, "jsonrpc":"2.0"}"#;
    let message = parse(text);
    assert_eq!(message.kind(), MessageKind::Request);
    assert_eq!(message.id().unwrap(), "9007199254740993");
    assert_eq!(message.method(), "tools/call");
    assert_eq!(message.params().unwrap(), br#"{"n":0.10}"#);
    assert_eq!(message.bytes(), text);
}

#[test]
fn the_members_decide_the_kind() {
    for (text, kind) in [
        (r#"{"id":null,"method":"a"}"#, MessageKind::Request),
        (r#"{"method":"a"}"#, MessageKind::Notification),
        (r#"{"id":1,"result":null}"#, MessageKind::Response),
        (r#"{"id":1,"error":{}}"#, MessageKind::Response),
    ] {
        assert_eq!(parse(text).kind(), kind, "{text}");
    }
}

#[test]
fn malformed_messages_are_classified() {
    let error = |text: &[u8]| Message::parse(Bytes::copy_from_slice(text)).unwrap_err();
    assert!(matches!(
        error(b"{\"id\":\"\xff\"}"),
        MalformedMessage::NotUtf8
    ));
    for text in [
        "",
        "{",
        "{\"id\":1,}",
        "<html>",
        "{\"id\":1,\"result\":tru}",
        "{}{}",
        "{\"method\":1,\"a\":",
    ] {
        assert!(
            matches!(error(text.as_bytes()), MalformedMessage::NotJson(_)),
            "{text}"
        );
    }
    for (text, id) in [
        ("3", None),
        ("-1e4444", None),
        ("[1,\"x\"]", None),
        ("{\"id\":7}", Some("7")),
        ("{\"id\":7,\"method\":1}", Some("7")),
        ("{\"id\":7,\"id\":8,\"method\":\"a\"}", Some("7")),
    ] {
        match error(text.as_bytes()) {
            MalformedMessage::NotAMessage { id: found, .. } => {
                assert_eq!(found.as_deref(), id.map(str::as_bytes));
            }
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn odd_but_valid_json_survives() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for result in [
        "1e400",
        "-0.0",
        r#""\ud800""#,
        r#"{"a":1,"a":2}"#,
        "null",
        &deep,
    ] {
        let text = format!("\u{feff} {{\"id\":1,\"result\":{result}}}\r\n");
        assert_eq!(parse(&text).result().unwrap(), result.as_bytes());
    }
}

#[test]
fn escaped_keys_are_decoded_and_unknown_keys_ignored() {
    let text = r#"{"\ud800":1,"m\u0065thod":"a","\udc00id":2,"\u0069d":7,"params":{"\ud800":3}}"#;
    let message = parse(text);
    assert_eq!(message.kind(), MessageKind::Request);
    assert_eq!(message.method(), "a");
    assert_eq!(message.id().unwrap(), "7");
    assert_eq!(message.params().unwrap(), br#"{"\ud800":3}"#);
    let error = Message::parse("{\"a\tb\":1,\"method\":\"a\"}").unwrap_err();
    assert!(matches!(error, MalformedMessage::NotJson(_)), "{error}");
}

#[test]
fn batches_are_split() {
    let text = Bytes::from_static(b" [ {\"method\":\"a\"} , 3 ]");
    assert!(Message::is_batch(&text));
    let parts = Message::split_batch(&text).unwrap();
    assert_eq!(parts, [&b"{\"method\":\"a\"}"[..], b"3"]);
    assert!(!Message::is_batch(b" {\"a\":[]}"));
}
