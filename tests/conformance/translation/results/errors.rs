//! Errors of upstreams, errors of the proxy, and broken streams.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use super::{exchange, server};
use crate::pairing::Pairing;
use crate::translation::pairing::{answer, text};
use testkit::json::{bytes_of, part};
use testkit::raw::{Reply, Request, event};

pub(super) async fn errors_pass_unchanged(pairing: Pairing) {
    for error in [
        r#"{ "code":-32099,"message":"\u00e9","data":{"n":1.0}}"#,
        r#"{"code":-32601,"message":"no","x":[ ]}"#,
        r#"{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{ }}}}"#,
        r#"{"code":17,"message":"no"}"#,
    ] {
        let server = server(pairing);
        let server = server.reply_with(move |call| answer(call, &format!(r#""error":{error}"#)));
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        let line = exchange(pairing, &mut client, "tools/call", r#""name":"t""#).await;
        assert_eq!(bytes_of(&line, &["error"]), error);
    }
}

/// The client's error for a read that the upstream answers with `error`.
pub(super) async fn read_missing_resource(pairing: Pairing, error: &'static str) -> String {
    let server = server(pairing);
    let server = server.answers("resources/read", move |read| {
        answer(read, &format!(r#""error":{error}"#))
    });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    let line = exchange(pairing, &mut client, "resources/read", r#""uri":"x://1""#).await;
    bytes_of(&line, &["error"]).to_owned()
}

pub(super) async fn missing_resource_error_passes_unchanged(pairing: Pairing) {
    for error in [
        r#"{"code":-32002,"message":"no","data":{ "uri":"x:\/\/1"}}"#,
        r#"{"code":-32602,"message":"no","data":{ "uri":"x:\/\/1"}}"#,
    ] {
        assert_eq!(read_missing_resource(pairing, error).await, error);
    }
}

pub(super) async fn missing_resource_error_gets_the_code_of_the_revision(pairing: Pairing) {
    let error = r#"{"message":"no", "code":-32002,"data":{ "uri":"x:\/\/1"}}"#;
    assert_eq!(
        read_missing_resource(pairing, error).await,
        error.replace("-32002", "-32602")
    );
    let other = r#"{"message":"no", "code":-32603}"#;
    assert_eq!(read_missing_resource(pairing, other).await, other);
}

pub(super) async fn error_counts_with_any_http_status(pairing: Pairing) {
    let error = r#"{"code":-32602,"message":"no","data":[1.0]}"#;
    for status in [200, 400, 500] {
        let server = server(pairing).intercept(move |request| {
            let body = answer_of(request, error);
            let reply = || Reply::json(body).with_status(status);
            request.is("tools/call").then(reply)
        });
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        let line = exchange(pairing, &mut client, "tools/call", r#""name":"t""#).await;
        assert_eq!(
            part(&line, &["error"]),
            Some(error),
            "{status}: {}",
            text(&line)
        );
    }
}

pub(super) fn answer_of(request: &Request, error: &str) -> Vec<u8> {
    match request.id_bytes() {
        Some(_) => answer(request, &format!(r#""error":{error}"#)),
        None => Vec::new(),
    }
}

pub(super) async fn proxy_errors_differ_from_server_errors(pairing: Pairing) {
    let server = server(pairing).intercept(|request| {
        let call = request.is("tools/call");
        call.then(|| Reply::status(418))
    });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    let response = client.call("t", json!({})).await;
    let error = &response["error"];
    let code = error["code"].as_i64().unwrap();
    assert!(!(-32768..=-32000).contains(&code), "{error}");
    assert_eq!(error["data"]["upstream"], "a", "{error}");
    assert_eq!(error["data"]["httpStatus"], 418, "{error}");
}

pub(super) async fn broken_stream_is_resumed(pairing: Pairing) {
    let server = pairing.server().tool("t").without_server_stream();
    let server = server.intercept(|request| {
        if request.is("tools/call") {
            let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
            let begun = format!("id: of-{id}\nretry: 5\ndata:\n\n");
            return Some(Reply::sse([begun]).broken_off());
        }
        let id = request.header("last-event-id")?.strip_prefix("of-")?;
        let result = r#"{"content":[],"x":"resumed"}"#;
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        Some(Reply::sse([event(message)]))
    });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    let response = client.call("t", json!({})).await;
    assert_eq!(response["result"]["x"], "resumed", "{response}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

pub(super) async fn only_idempotent_calls_are_repeated(pairing: Pairing) {
    let schema = r#""inputSchema":{"type":"object"}"#;
    let server = pairing.server();
    let lost: Mutex<BTreeSet<String>> = Mutex::default();
    let server = server
        .tool_raw(&format!(r#"{{"name":"write",{schema}}}"#))
        .tool_raw(&format!(
            r#"{{"name":"read",{schema},"annotations":{{"readOnlyHint":true}}}}"#
        ))
        .intercept(move |request| {
            let is_first = request.is("tools/call") && lost.lock().unwrap().insert(request.tool());
            is_first.then(|| Reply::sse([": begun\n\n"]).broken_off())
        });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    for (name, sent) in [("write", 1), ("read", 2)] {
        let response = client.call(name, json!({})).await;
        let is_lost = response["error"]["data"]["outcome"] == "unknown";
        assert_eq!(is_lost, name == "write", "{response}");
        let calls = server.requests_of("tools/call");
        let calls: Vec<_> = calls.iter().filter(|call| call.tool() == name).collect();
        assert_eq!(calls.len(), sent, "{name}");
        let ids: BTreeSet<_> = calls.iter().map(|call| call.id_bytes()).collect();
        assert_eq!(ids.len(), sent);
    }
}
