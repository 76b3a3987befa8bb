//! Tests that a translation changes what the eras require, and no other byte.

use super::*;

fn translated(text: &str, client: Era, upstream: Era) -> Result<String, String> {
    translated_for("tools/call", text, client, upstream)
}

fn translated_for(method: &str, text: &str, client: Era, upstream: Era) -> Result<String, String> {
    let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    response(message, method, client, upstream)
        .map(|m| String::from_utf8(m.bytes().to_vec()).unwrap())
}

#[test]
fn a_modern_client_gets_a_result_type() {
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
fn a_modern_client_gets_cache_hints_for_a_read_resource() {
    let modern = |method, text| translated_for(method, text, Era::Modern, Era::Legacy).unwrap();
    let (complete, hints) = (
        r#""resultType":"complete""#,
        r#""ttlMs":0,"cacheScope":"private""#,
    );
    let text = r#"{"id":1,"result":{ "contents":[1.0]} }"#;
    let with = |added: &str| format!(r#"{{"id":1,"result":{{{added}, "contents":[1.0]}} }}"#);
    let read = with(&format!("{complete},{hints}"));
    assert_eq!(modern("resources/read", text), read);
    assert_eq!(modern("prompts/get", text), with(complete));
    assert_eq!(
        modern("resources/read", r#"{"id":1,"result":{}}"#),
        format!(r#"{{"id":1,"result":{{{complete},{hints}}}}}"#)
    );
    // The upstream's own hints stay.
    let hinted = r#"{"id":1,"result":{"ttlMs":9,"cacheScope":"public"}}"#;
    assert_eq!(
        modern("resources/read", hinted),
        format!(r#"{{"id":1,"result":{{{complete},"ttlMs":9,"cacheScope":"public"}}}}"#)
    );
    for same in [
        r#"{"id":1,"result":{"resultType":"x","ttlMs":1,"cacheScope":"x"}}"#,
        r#"{"id":1,"result":[1]}"#,
    ] {
        assert_eq!(modern("resources/read", same), same);
    }
}

#[test]
fn a_modern_client_gets_the_modern_code_for_a_missing_resource() {
    let read = "resources/read";
    let missing =
        r#"{"id":-32002,"error":{"message":"-32002", "code" :-32002,"data":{"code":-32002}} }"#;
    let modern = missing.replacen(r#""code" :-32002"#, r#""code" :-32602"#, 1);
    let translate =
        |method, text, client, upstream| translated_for(method, text, client, upstream).unwrap();
    assert_eq!(translate(read, missing, Era::Modern, Era::Legacy), modern);
    for (method, client, upstream) in [
        (read, Era::Legacy, Era::Legacy),
        (read, Era::Modern, Era::Modern),
        (read, Era::Legacy, Era::Modern),
        ("prompts/get", Era::Modern, Era::Legacy),
        ("tools/call", Era::Modern, Era::Legacy),
    ] {
        let same = translate(method, missing, client, upstream);
        assert_eq!(same, missing, "{method} {client:?} {upstream:?}");
    }
    for other in [
        r#"{"id":1,"error":{"code":-32603,"data":-32002}}"#,
        r#"{"id":1,"error":{"code":"-32002"}}"#,
        r#"{"id":1,"error":{}}"#,
        r#"{"id":1,"error":7}"#,
    ] {
        assert_eq!(translate(read, other, Era::Modern, Era::Legacy), other);
    }
}

#[test]
fn a_legacy_client_gets_no_modern_result_type() {
    let legacy = |text| translated(text, Era::Legacy, Era::Modern);
    let complete = r#"{"id":1,"result":{"resultType":"complete","x":1}}"#;
    assert_eq!(legacy(complete).unwrap(), complete);
    assert!(legacy(r#"{"id":1,"result":{"resultType":"input_required"}}"#).is_err());
}

#[test]
fn a_cancellation_gets_the_id_of_the_upstream() {
    let text = r#"{"method":"notifications/cancelled","params":{"reason":"r", "requestId":"a"}}"#;
    let message = Message::parse(text).unwrap();
    assert_eq!(
        with_param(&message, "requestId", b"7"),
        r#"{"method":"notifications/cancelled","params":{"reason":"r", "requestId":7}}"#
    );
}
