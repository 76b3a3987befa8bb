//! Conversion of server requests: unchanged, to a request, to a result.

use serde_json::json;

use super::harness::*;
use super::responses::{check_input_request_during, check_server_request_during};
use super::{ELICITATION, ROOTS, SAMPLING, ServerRequest, all_capabilities};
use crate::pairing::Pairing;
use crate::translation::pairing::text;
use testkit::json::{bytes_of, part};

pub(super) async fn elicitation_passes_unchanged(pairing: Pairing) {
    passes(pairing, &ELICITATION).await;
}

pub(super) async fn sampling_passes_unchanged(pairing: Pairing) {
    passes(pairing, &SAMPLING).await;
}

pub(super) async fn roots_pass_unchanged(pairing: Pairing) {
    passes(pairing, &ROOTS).await;
}

pub(super) async fn elicitation_is_sent_as_a_request(pairing: Pairing) {
    check_sent_as_a_request(pairing, &ELICITATION).await;
}

pub(super) async fn sampling_is_sent_as_a_request(pairing: Pairing) {
    check_sent_as_a_request(pairing, &SAMPLING).await;
}

pub(super) async fn roots_are_sent_as_a_request(pairing: Pairing) {
    check_sent_as_a_request(pairing, &ROOTS).await;
}

pub(super) async fn elicitation_is_sent_as_a_result(pairing: Pairing) {
    check_sent_as_a_result(pairing, &ELICITATION).await;
}

pub(super) async fn sampling_is_sent_as_a_result(pairing: Pairing) {
    check_sent_as_a_result(pairing, &SAMPLING).await;
}

pub(super) async fn roots_are_sent_as_a_result(pairing: Pairing) {
    check_sent_as_a_result(pairing, &ROOTS).await;
}

pub(super) async fn passes(pairing: Pairing, server_request: &'static ServerRequest) {
    match pairing.legacy_upstream() {
        true => check_request_passes_unchanged(pairing, server_request).await,
        false => check_result_passes_unchanged(pairing, server_request).await,
    }
}

pub(super) async fn check_request_passes_unchanged(
    pairing: Pairing,
    server_request: &'static ServerRequest,
) {
    for source in REQUEST_SOURCES {
        let id = r#""q\u0031\/""#;
        let request = |id: &str| {
            let ServerRequest { method, params, .. } = server_request;
            format!(
                r#"{{ "x":1E2,"id":{id},"jsonrpc":"2.0","method":"{method}","params":{params}}}"#
            )
        };
        let request_line = request(id);
        let server = source.server("t", "tools/call", move |stream| {
            let request_line = request_line.clone();
            async move { vec![stream.request_in_bytes(id, &request_line).await] }
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let call = client.send_call("t", json!({})).await;
        let line = client.incoming_line(server_request.method).await;
        let own = bytes_of(&line, &["id"]);
        assert_ne!(own, id);
        assert_eq!(text(&line), request(own));
        let result = server_request.result;
        let answer =
            |id: &str| format!(r#"{{ "jsonrpc":"2.0","x":1.0,"id":{id} ,"result":{result}}}"#);
        client.send_line(answer(own)).await;
        let response = client.response(call).await;
        assert_eq!(responses_in(&response), [answer(id)]);
    }
}

pub(super) async fn check_result_passes_unchanged(
    pairing: Pairing,
    server_request: &'static ServerRequest,
) {
    let input_required_result =
        input_required_result(&[("k\\u0031", server_request)], Some(r#""s\u0031\/""#));
    let server = input_requiring_server(pairing, vec![input_required_result.clone()])
        .start()
        .await;
    let mut client = pairing.client(&server).await;
    let members = r#""name":"t", "arguments":{"x":1E2}"#;
    let answer = client
        .exchange(pairing.line("7", "tools/call", "", members), "7")
        .await;
    assert_eq!(bytes_of(&answer, &["result"]), input_required_result);
    let result = server_request.result;
    let retry = format!(
        r#"{members},"inputResponses":{{ "k\u0031":{result}}},"requestState":"s\u0031\/","x":[ ]"#
    );
    let line = pairing.line("8", "tools/call", "", &retry);
    let answer = client.exchange(&line, "8").await;
    assert_done(&answer);
    let sent = server.calls().pop().unwrap();
    assert_eq!(
        bytes_of(&sent, &["params"]),
        bytes_of(line.as_bytes(), &["params"])
    );
}

pub(super) async fn check_sent_as_a_request(
    pairing: Pairing,
    server_request: &'static ServerRequest,
) {
    let state = r#""s\u0031\/""#;
    let server = input_requiring_server(
        pairing,
        vec![input_required_result(
            &[("k\\u0031", server_request)],
            Some(state),
        )],
    );
    let server = server.start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let members = r#""name":"t", "arguments":{ "x":1E2},"y":[ ]"#;
    let line = pairing.line("7", "tools/call", r#""progressToken":"p""#, members);
    client.send_line(line).await;
    let request = client.incoming_line(server_request.method).await;
    assert!(bytes_of(&request, &["id"]).starts_with(r#""mcp-manifold-"#));
    assert_eq!(bytes_of(&request, &["params"]), server_request.params);
    client.answer_with(&request, server_request.result).await;
    let answer = client.answer_to("7").await;
    assert_done(&answer);

    let calls = server.calls();
    let [first, retry] = &calls[..] else {
        panic!("{} calls", calls.len());
    };
    assert_ne!(bytes_of(first, &["id"]), bytes_of(retry, &["id"]));
    let params = |call| bytes_of(call, &["params"]).to_owned();
    assert!(params(first).contains(members) && params(retry).contains(members));
    assert_eq!(bytes_of(retry, &["params", "requestState"]), state);
    let result = bytes_of(retry, &["params", "inputResponses", "k1"]);
    assert_eq!(result, server_request.result);
    assert_eq!(part(first, &["params", "inputResponses"]), None);
    let meta = |call| bytes_of(call, &["params", "_meta"]).to_owned();
    assert_eq!(meta(first), meta(retry));
}

pub(super) async fn check_sent_as_a_result(
    pairing: Pairing,
    server_request: &'static ServerRequest,
) {
    for source in REQUEST_SOURCES {
        let id = r#""q\u0031\/""#;
        let server = source.requesting_server(id, server_request);
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let first = call(&mut client, "t", None).await;
        let (key, request) = only_request(&first);
        assert_eq!(
            part(request.as_bytes(), &["method"]).unwrap(),
            json!(server_request.method).to_string()
        );
        assert_eq!(
            part(request.as_bytes(), &["params"]),
            Some(server_request.params)
        );
        let answers = format!(r#"{{{key}: {}}}"#, server_request.result);
        let last = call(&mut client, "t", Some((&first, &answers))).await;
        let result = server_request.result;
        let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        assert_eq!(responses_in_line(&last), [response]);
        assert_eq!(bytes_of(&last, &["result", "resultType"]), r#""complete""#);
        assert_eq!(server.calls().len(), 1);
    }
}

pub(super) async fn prompt_sends_a_server_request(pairing: Pairing) {
    check_server_request_during(pairing, "prompts/get", json!({"name": "p"})).await;
}

pub(super) async fn read_sends_a_server_request(pairing: Pairing) {
    check_server_request_during(pairing, "resources/read", json!({"uri": "x://1"})).await;
}

pub(super) async fn prompt_returns_an_input_request(pairing: Pairing) {
    check_input_request_during(pairing, "prompts/get", json!({"name": "p"})).await;
}

pub(super) async fn read_returns_an_input_request(pairing: Pairing) {
    check_input_request_during(pairing, "resources/read", json!({"uri": "x://1"})).await;
}
