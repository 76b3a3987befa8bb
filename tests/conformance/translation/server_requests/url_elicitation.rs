//! Elicitation in URL mode. Only 2025-11-25 has `elicitationId`.

use serde_json::{Value, json};

use super::harness::*;
use super::{ServerRequest, all_capabilities};
use crate::pairing::Pairing;
use crate::translation::pairing::{answer, text, text_result};
use testkit::json::{bytes_of, part, text_of};

/// The request of a legacy server.
const WITH_ID: ServerRequest = ServerRequest {
    method: "elicitation/create",
    params: r#"{ "mode":"url","elicitationId":"e\u0031" ,"url":"https:\/\/example.com\/?x=1","message":"\u00e9","x":1E2}"#,
    result: r#"{"action":"accept"}"#,
};

/// The request of a modern server.
const WITHOUT_ID: ServerRequest = ServerRequest {
    method: "elicitation/create",
    params: r#"{ "mode":"url","url":"https:\/\/example.com\/?x=1","message":"\u00e9","x":1E2}"#,
    result: r#"{"action":"accept"}"#,
};

pub(super) async fn url_elicitation_passes_unchanged(pairing: Pairing) {
    match pairing.legacy_upstream() {
        true => super::check_request_passes_unchanged(pairing, &WITH_ID).await,
        false => super::check_result_passes_unchanged(pairing, &WITHOUT_ID).await,
    }
}

pub(super) async fn url_elicitation_gets_an_id(pairing: Pairing) {
    let input_required = input_required_result(&[("k", &WITHOUT_ID)], Some(r#""s""#));
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let id = client.send_call("t", json!({})).await;
    let request = client.incoming_line(WITHOUT_ID.method).await;
    let params = bytes_of(&request, &["params"]);
    let added = bytes_of(params.as_bytes(), &["elicitationId"]);
    assert!(added.starts_with('"') && added.len() > 2, "{params}");
    let rest = WITHOUT_ID.params[1..].trim_end_matches('}').trim();
    assert!(params.contains(rest), "{params}");
    client.answer_with(&request, WITHOUT_ID.result).await;
    assert_eq!(client.response(id).await["result"]["done"], true);
}

pub(super) async fn url_elicitation_loses_its_id(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.requesting_server("7", &WITH_ID);
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let first = call(&mut client, "t", None).await;
        let (key, request) = only_request(&first);
        assert_eq!(part(request.as_bytes(), &["params", "elicitationId"]), None);
        let rest = r#""url":"https:\/\/example.com\/?x=1","message":"\u00e9","x":1E2}"#;
        assert!(request.contains(rest), "{request}");
        let responses = format!("{{{key}:{}}}", WITH_ID.result);
        let last = call(&mut client, "t", Some((&first, &responses))).await;
        let received = responses_in_line(&last);
        assert_eq!(
            bytes_of(received[0].as_bytes(), &["result"]),
            WITH_ID.result
        );
    }
}

const COMPLETE: &str = r#"{ "jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e\u0031","x":1E2}}"#;

pub(super) async fn completion_notification_passes_unchanged(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.server("t", "tools/call", |stream| async move {
            let received = stream.request("7", WITH_ID.method, WITH_ID.params).await;
            stream.send(COMPLETE).await;
            vec![received]
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let id = client.send_call("t", json!({})).await;
        client.answer_next(WITH_ID.method, WITH_ID.result).await;
        let line = client
            .notification_line("notifications/elicitation/complete")
            .await;
        assert_eq!(text(&line), COMPLETE);
        client.response(id).await;
    }
}

pub(super) async fn completion_notification_is_dropped(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.server("t", "tools/call", |stream| async move {
            let received = stream.request("7", WITH_ID.method, WITH_ID.params).await;
            stream.send(COMPLETE).await;
            stream.read().await;
            vec![received]
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let first = call(&mut client, "t", None).await;
        let responses = format!("{{{}:{}}}", only_request(&first).0, WITH_ID.result);
        call(&mut client, "t", Some((&first, &responses))).await;
        assert!(client.close().await.success());
        let received = client.received_with("notifications/elicitation/complete");
        assert!(received.is_empty(), "{received:?}");
    }
}

const REQUIRED: &str = r#"{ "code":-32042,"message":"\u00e9","data":{"elicitations":[{ "mode":"url","elicitationId":"e1","url":"https:\/\/example.com\/?x=1","message":"\u00e9","x":1E2}]}}"#;

/// A server that answers the first call with this error.
fn server_requiring_a_url(pairing: Pairing) -> testkit::upstream::Builder {
    let first = std::sync::atomic::AtomicBool::new(true);
    pairing.server().tool("t").reply_with(move |call| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => answer(call, &format!(r#""error":{REQUIRED}"#)),
            false => text_result("connected"),
        }
    })
}

pub(super) async fn url_required_error_passes_unchanged(pairing: Pairing) {
    let server = server_requiring_a_url(pairing).start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let id = client.send_call("t", json!({})).await;
    let answer = client.answer_to(&id.to_string()).await;
    assert_eq!(bytes_of(&answer, &["error"]), REQUIRED);
}

pub(super) async fn url_required_error_becomes_a_result(pairing: Pairing) {
    let server = server_requiring_a_url(pairing).start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let first = call(&mut client, "t", None).await;
    let (key, request) = only_request(&first);
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(request["method"], "elicitation/create");
    let params =
        json!({"mode": "url", "url": "https://example.com/?x=1", "message": "é", "x": 1e2});
    assert_eq!(request["params"], params);
    let responses = format!(r#"{{{key}:{{"action":"accept"}}}}"#);
    let last = call(&mut client, "t", Some((&first, &responses))).await;
    assert_eq!(
        text_of(&serde_json::from_slice(&last).unwrap()),
        "connected"
    );
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert_ne!(bytes_of(&calls[0], &["id"]), bytes_of(&calls[1], &["id"]));
    let arguments = |call: &Vec<u8>| bytes_of(call, &["params", "arguments"]).to_owned();
    assert_eq!(arguments(&calls[0]), arguments(&calls[1]));
    assert!(
        !text(&calls[1]).contains("requestState"),
        "{}",
        text(&calls[1])
    );
}
