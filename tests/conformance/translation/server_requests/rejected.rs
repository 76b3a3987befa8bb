//! Server requests that are rejected, undeclared or cancelled.

use serde_json::json;

use super::harness::*;
use super::{ELICITATION, ROOTS, SAMPLING, ServerRequest, all_capabilities};
use crate::pairing::Pairing;
use crate::translation::pairing::text;
use testkit::gate::Gate;
use testkit::json::{bytes_of, part};
use testkit::raw::Request;

const ERROR: &str = r#"{ "code":-1,"message":"\u00e9","data":[1.0]}"#;

pub(super) async fn client_error_passes_unchanged(pairing: Pairing) {
    for server_request in [&ELICITATION, &SAMPLING, &ROOTS] {
        let server = RequestSource::Call.requesting_server(r#""q\/""#, server_request);
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let id = client.send_call("t", json!({})).await;
        let request = client.incoming_line(server_request.method).await;
        client
            .answer(&request, &format!(r#""error":{ERROR}"#))
            .await;
        let received = responses_in(&client.response(id).await);
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"q\/","error":{ERROR}}}"#);
        assert_eq!(received, [expected]);
    }
}

/// Responds to an input request with an error, as a legacy client. Returns the response to the
/// call, and the calls that the server received.
async fn respond_with_error(
    pairing: Pairing,
    server_request: &'static ServerRequest,
) -> (Vec<u8>, Vec<Vec<u8>>) {
    let input_required = input_required_result(&[("k", server_request)], Some(r#""s""#));
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let id = client.send_call("t", json!({})).await;
    let request = client.incoming_line(server_request.method).await;
    client
        .answer(&request, &format!(r#""error":{ERROR}"#))
        .await;
    let answer = client.answer_to(&id.to_string()).await;
    (answer, server.calls())
}

pub(super) async fn client_error_counts_as_cancelled(pairing: Pairing) {
    let (answer, calls) = respond_with_error(pairing, &ELICITATION).await;
    assert_done(&answer);
    let result = bytes_of(&calls[1], &["params", "inputResponses", "k"]);
    assert_eq!(result, r#"{"action":"cancel"}"#);
}

pub(super) async fn client_error_fails_the_call(pairing: Pairing) {
    for server_request in [&SAMPLING, &ROOTS] {
        let (answer, calls) = respond_with_error(pairing, server_request).await;
        assert_eq!(bytes_of(&answer, &["error"]), ERROR);
        assert_eq!(calls.len(), 1);
    }
}

pub(super) async fn missing_response_is_requested_again(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.requesting_server("7", &ROOTS);
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let first = call(&mut client, "t", None).await;
        let again = call(&mut client, "t", Some((&first, r#"{"other":{}}"#))).await;
        let (key, request) = only_request(&again);
        assert!(request.contains(ROOTS.params), "{request}");
        assert!(server.responses().is_empty());
        let responses = format!("{{{key}:{}}}", ROOTS.result);
        let last = call(&mut client, "t", Some((&again, &responses))).await;
        let received = responses_in_line(&last);
        assert_eq!(bytes_of(received[0].as_bytes(), &["result"]), ROOTS.result);
        assert_eq!(server.calls().len(), 1);
    }
}

pub(super) async fn request_state_is_accepted_once(pairing: Pairing) {
    let server = RequestSource::Call.requesting_server("7", &ROOTS);
    let server = server.start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let forged = br#"{"result":{"requestState":"unknown"}}"#;
    let answer = call(&mut client, "t", Some((forged, "{}"))).await;
    assert_eq!(bytes_of(&answer, &["error", "code"]), "-32602");

    let first = call(&mut client, "t", None).await;
    let responses = format!("{{{}:{}}}", only_request(&first).0, ROOTS.result);
    // The state is valid for its own call only.
    let answer = call(&mut client, "other", Some((&first, &responses))).await;
    assert_eq!(bytes_of(&answer, &["error", "code"]), "-32602");
    let first = call(&mut client, "t", None).await;
    let responses = format!("{{{}:{}}}", only_request(&first).0, ROOTS.result);
    call(&mut client, "t", Some((&first, &responses))).await;
    let count = server.calls().len();
    let answer = call(&mut client, "t", Some((&first, &responses))).await;
    assert_eq!(bytes_of(&answer, &["error", "code"]), "-32602");
    assert_eq!(server.calls().len(), count);
    assert!(
        server
            .calls()
            .iter()
            .all(|call| !text(call).contains("requestState"))
    );
}

pub(super) async fn request_state_is_checked_by_the_upstream(pairing: Pairing) {
    let server = input_requiring_server(pairing, Vec::new()).start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let own = br#"{"result":{"requestState":"of n\u006fbody"}}"#;
    let answer = call(&mut client, "t", Some((own, r#"{"k":{ }}"#))).await;
    assert_done(&answer);
    let call = &server.calls()[0];
    assert_eq!(
        bytes_of(call, &["params", "requestState"]),
        r#""of n\u006fbody""#
    );
    assert_eq!(
        bytes_of(call, &["params", "inputResponses"]),
        r#"{"k":{ }}"#
    );
}

pub(super) async fn undeclared_server_request_is_rejected(pairing: Pairing) {
    for server_request in [&ELICITATION, &SAMPLING, &ROOTS] {
        for source in REQUEST_SOURCES {
            let server = source.requesting_server("7", server_request);
            let server = server.start().await;
            let mut client = pairing.client(&server).await;
            let received = responses_in(&client.call("t", json!({})).await);
            let code = bytes_of(received[0].as_bytes(), &["error", "code"]);
            assert_eq!(code, "-32601", "{}", server_request.method);
            assert!(client.server_requests().is_empty());
        }
    }
}

pub(super) async fn undeclared_input_request_fails_the_call(pairing: Pairing) {
    for server_request in [&ELICITATION, &SAMPLING, &ROOTS] {
        let input_required = input_required_result(&[("k", server_request)], Some(r#""s""#));
        let server = input_requiring_server(pairing, vec![input_required])
            .start()
            .await;
        let mut client = pairing.client(&server).await;
        let response = client.call("t", json!({})).await;
        assert_eq!(response["error"]["code"], -31006, "{response}");
        assert_eq!(response["error"]["data"]["upstream"], "a");
        assert!(client.server_requests().is_empty());
        assert_eq!(server.calls().len(), 1);
    }
}

pub(super) async fn server_request_outside_of_calls_reaches_the_client(pairing: Pairing) {
    for source in [RequestSource::EventStream, RequestSource::HttpSse] {
        for server_request in [&ELICITATION, &SAMPLING, &ROOTS] {
            let server = source.server("t", "tools/call", |_| async { Vec::new() });
            let server = server.start().await;
            let mut client = pairing.client_with(&server, all_capabilities()).await;
            client.tool_names().await;
            let stream = server.event_stream().await;
            let response = tokio::spawn(async move {
                stream
                    .request(r#""q\/""#, server_request.method, server_request.params)
                    .await
            });
            let request = client.incoming_line(server_request.method).await;
            assert_eq!(bytes_of(&request, &["params"]), server_request.params);
            client.answer_with(&request, server_request.result).await;
            let received = response.await.unwrap();
            assert_eq!(bytes_of(&received, &["result"]), server_request.result);
        }
    }
}

pub(super) async fn server_request_outside_of_calls_is_not_forwarded(pairing: Pairing) {
    for source in [RequestSource::EventStream, RequestSource::HttpSse] {
        let server = source.server("t", "tools/call", |_| async { Vec::new() });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        client.call("t", json!({})).await;
        let stream = server.event_stream().await;
        let received = stream
            .request("7", ELICITATION.method, ELICITATION.params)
            .await;
        assert_eq!(bytes_of(&received, &["result"]), r#"{"action":"cancel"}"#);
        for server_request in [&SAMPLING, &ROOTS] {
            let received = stream
                .request("8", server_request.method, server_request.params)
                .await;
            assert_eq!(bytes_of(&received, &["error", "code"]), "-32601");
        }
        assert!(client.server_requests().is_empty());
    }
}

pub(super) async fn cancelled_call_is_cancelled_upstream(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.requesting_server("7", &ROOTS);
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let id = client.send_call("t", json!({})).await;
        client.incoming_line(ROOTS.method).await;
        client.cancel(id).await;
        let cancelled = server.wait_for_cancelled().await;
        let call = &server.calls()[0];
        let named = bytes_of(&cancelled, &["params", "requestId"]);
        assert_eq!(named, bytes_of(call, &["id"]));
    }
}

pub(super) async fn cancelled_call_is_not_retried(pairing: Pairing) {
    let input_required = input_required_result(&[("k", &ROOTS)], Some(r#""s""#));
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let id = client.send_call("t", json!({})).await;
    let request = client.incoming_line(ROOTS.method).await;
    client.cancel(id).await;
    client.answer_with(&request, ROOTS.result).await;
    // The server receives the next call as its second one.
    client.call("t", json!({"second": true})).await;
    assert!(client.close().await.success());
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert!(text(&calls[1]).contains("second"), "{}", text(&calls[1]));
    let id = id.to_string();
    let lines = client.received();
    assert!(lines.iter().all(|line| part(line, &["id"]) != Some(&*id)));
}

pub(super) async fn cancelled_retry_is_cancelled_upstream(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let gate = Gate::closed();
        let held = gate.clone();
        let server = source.server("t", "tools/call", move |stream| {
            let held = held.clone();
            async move {
                let received = stream.request("7", ROOTS.method, ROOTS.params).await;
                held.passed().await;
                vec![received]
            }
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let first = call(&mut client, "t", None).await;
        let responses = format!("{{{}:{}}}", only_request(&first).0, ROOTS.result);
        let members = r#""name":"t","arguments":{"x":1}"#;
        let id = send(
            &mut client,
            "tools/call",
            members,
            Some((&first, &responses)),
        )
        .await;
        let is_answer = |notification: &Request| notification.rpc_method().is_empty();
        server.wait_for_message("the answer", is_answer).await;
        let id: u64 = id.parse().unwrap();
        client.cancel(id).await;
        let cancelled = server.wait_for_cancelled().await;
        let named = bytes_of(&cancelled, &["params", "requestId"]);
        assert_eq!(named, bytes_of(&server.calls()[0], &["id"]));
        gate.open();
    }
}
