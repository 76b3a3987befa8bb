//! What changes in a message between the eras, and that nothing else does.

use super::*;

#[test]
fn a_client_is_known_by_its_handshake_or_its_meta() {
    let identity = |params: &str| {
        let request = format!(r#"{{"id":1,"method":"x","params":{params}}}"#);
        identity(&Message::parse(request).unwrap()).map(|identity| identity.client_info)
    };
    let legacy = identity(r#"{"protocolVersion":"x","clientInfo":{"name":"a", "n":1.0}}"#);
    assert_eq!(legacy.as_deref(), Some(r#"{"name":"a", "n":1.0}"#));
    let modern = identity(r#"{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"b"}}}"#);
    assert_eq!(modern.as_deref(), Some(r#"{"name":"b"}"#));
    for nothing in ["{}", "[]", "null", r#"{"clientInfo":3}"#] {
        assert_eq!(identity(nothing), None, "{nothing}");
    }
}

fn translated(text: &str, client: Era, upstream: Era) -> Result<String, String> {
    let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    response(message, "tools/call", client, upstream)
        .map(|m| String::from_utf8(m.bytes().to_vec()).unwrap())
}

#[test]
fn a_modern_client_gets_the_result_type_that_it_needs() {
    let modern = |text| translated(text, Era::Modern, Era::Legacy).unwrap();
    assert_eq!(
        modern(r#"{"id":1,"result":{ "content":[]}}"#),
        r#"{"id":1,"result":{"resultType":"complete", "content":[]}}"#
    );
    for same in [
        r#"{"id":1,"result":{"a":1,"resultType":"x"}}"#,
        r#"{"id":1,"result":[1]}"#,
        r#"{"id":1,"error":{"code":1}}"#,
    ] {
        assert_eq!(modern(same), same);
    }
}

#[test]
fn a_legacy_client_is_not_given_what_it_would_misread() {
    let legacy = |text| translated(text, Era::Legacy, Era::Modern);
    let complete = r#"{"id":1,"result":{"resultType":"complete","x":1}}"#;
    assert_eq!(legacy(complete).unwrap(), complete);
    assert!(legacy(r#"{"id":1,"result":{"resultType":"input_required"}}"#).is_err());
}

#[test]
fn a_cancellation_names_the_id_that_the_upstream_knows() {
    let text = r#"{"method":"notifications/cancelled","params":{"reason":"r", "requestId":"a"}}"#;
    let message = Message::parse(text).unwrap();
    assert_eq!(
        cancelled(&message, 7),
        r#"{"method":"notifications/cancelled","params":{"reason":"r", "requestId":7}}"#
    );
}
