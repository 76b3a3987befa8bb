//! Several server requests, and the responses of clients.

use futures_util::future::join;
use serde_json::{Value, json};

use super::harness::*;
use super::{ELICITATION, ROOTS, SAMPLING, all_capabilities};
use crate::pairing::Pairing;
use testkit::json::{bytes_of, part};
use testkit::proxy::Client;

/// Sends a request and responds to one server request. Returns the response.
async fn answered_by_request(client: &mut Client, method: &str, params: &Value) -> Vec<u8> {
    let id = client.send_request_in_era(method, params.clone()).await;
    client.answer_next(ROOTS.method, ROOTS.result).await;
    client.answer_to(&id.to_string()).await
}

/// Sends a request and retries it with an input response. Returns the first and the last result.
async fn answered_by_retry(
    client: &mut Client,
    method: &str,
    params: &Value,
) -> (Vec<u8>, Vec<u8>) {
    let members = params.to_string();
    let members = &members[1..members.len() - 1];
    let first = request_with_retry(client, method, members, None).await;
    let answers = format!("{{{}:{}}}", only_request(&first).0, ROOTS.result);
    let last = request_with_retry(client, method, members, Some((&first, &answers))).await;
    (first, last)
}

/// Checks a server request of a legacy server during `method`.
pub(super) async fn check_server_request_during(pairing: Pairing, method: &str, params: Value) {
    for source in REQUEST_SOURCES {
        let server = source.server("t", method, |stream| async move {
            vec![stream.request("7", ROOTS.method, ROOTS.params).await]
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        client.tool_names().await;
        let answer = if pairing.legacy_client() {
            answered_by_request(&mut client, method, &params).await
        } else {
            answered_by_retry(&mut client, method, &params).await.1
        };
        let received = responses_in_line(&answer).remove(0);
        assert_eq!(bytes_of(received.as_bytes(), &["result"]), ROOTS.result);
    }
}

/// Checks an input request of a modern server during `method`.
pub(super) async fn check_input_request_during(pairing: Pairing, method: &str, params: Value) {
    let input_required = input_required_result(&[("k", &ROOTS)], Some(r#""s""#));
    let server = with_prompts_and_resources(pairing.server()).tool("t");
    let server = server.answers(method, respond_in_rounds(vec![input_required.clone()]));
    let server = server.start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    client.tool_names().await;
    let answer = if pairing.legacy_client() {
        answered_by_request(&mut client, method, &params).await
    } else {
        let (first, last) = answered_by_retry(&mut client, method, &params).await;
        assert_eq!(bytes_of(&first, &["result"]), input_required);
        last
    };
    assert_done(&answer);
    let retry = server.requests_of(method).pop().unwrap();
    let result = bytes_of(&retry.body, &["params", "inputResponses", "k"]);
    assert_eq!(result, ROOTS.result);
    assert_eq!(bytes_of(&retry.body, &["params", "requestState"]), r#""s""#);
}

pub(super) async fn concurrent_requests_are_answered_in_any_order(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = server_with_two_requests(source).start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let call = client.send_call("t", json!({})).await;
        let sampling = client.incoming_line(SAMPLING.method).await;
        let roots = client.incoming_line(ROOTS.method).await;
        assert_ne!(bytes_of(&sampling, &["id"]), bytes_of(&roots, &["id"]));
        for (request, result) in [(roots, ROOTS.result), (sampling, SAMPLING.result)] {
            client.answer_with(&request, result).await;
        }
        let response = client.response(call).await;
        assert_both_received(&responses_in(&response));
    }
}

/// A server that sends two requests at once, with the ids 7 and 8.
fn server_with_two_requests(source: RequestSource) -> testkit::upstream::Builder {
    source.server("t", "tools/call", |stream| async move {
        let sampling = stream.request("7", SAMPLING.method, SAMPLING.params);
        let roots = stream.request("8", ROOTS.method, ROOTS.params);
        let (sampling, roots) = join(sampling, roots).await;
        vec![sampling, roots]
    })
}

fn assert_both_received(received: &[String]) {
    let of = |index: usize| bytes_of(received[index].as_bytes(), &["result"]);
    assert_eq!([of(0), of(1)], [SAMPLING.result, ROOTS.result]);
}

pub(super) async fn input_requests_are_answered_in_any_order(pairing: Pairing) {
    let input_required = input_required_result(&[("s", &SAMPLING), ("r", &ROOTS)], None);
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let id = client.send_call("t", json!({})).await;
    let sampling = client.incoming_line(SAMPLING.method).await;
    let roots = client.incoming_line(ROOTS.method).await;
    for (request, result) in [(roots, ROOTS.result), (sampling, SAMPLING.result)] {
        client.answer_with(&request, result).await;
    }
    client.response(id).await;
    let retry = server.calls().pop().unwrap();
    let of = |key| bytes_of(&retry, &["params", "inputResponses", key]);
    assert_eq!([of("s"), of("r")], [SAMPLING.result, ROOTS.result]);
    // A missing state must not be sent.
    assert_eq!(part(&retry, &["params", "requestState"]), None);
}

pub(super) async fn concurrent_requests_are_answered_by_key(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = server_with_two_requests(source).start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let mut answer = call(&mut client, "t", None).await;
        // Both requests may be in one result or in two.
        while part(&answer, &["result", "resultType"]) == Some(r#""input_required""#) {
            let responses = requests(&answer).into_iter().map(|(key, request)| {
                let is_roots = request.contains(ROOTS.method);
                let result = if is_roots {
                    ROOTS.result
                } else {
                    SAMPLING.result
                };
                format!("{key}:{result}")
            });
            let responses = format!("{{{}}}", responses.collect::<Vec<_>>().join(","));
            answer = call(&mut client, "t", Some((&answer, &responses))).await;
        }
        assert_both_received(&responses_in_line(&answer));
    }
}

pub(super) async fn successive_requests_are_answered(pairing: Pairing) {
    for source in REQUEST_SOURCES {
        let server = source.server("t", "tools/call", |stream| async move {
            let mut received = Vec::new();
            for id in ["7", "8"] {
                received.push(
                    stream
                        .request(id, ELICITATION.method, ELICITATION.params)
                        .await,
                );
            }
            received
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, all_capabilities()).await;
        let results = [r#"{"action":"accept"}"#, r#"{"action":"decline"}"#];
        let received = if pairing.legacy_client() {
            let id = client.send_call("t", json!({})).await;
            for result in results {
                client.answer_next(ELICITATION.method, result).await;
            }
            responses_in(&client.response(id).await)
        } else {
            let mut answer = call(&mut client, "t", None).await;
            for result in results {
                let (key, _) = only_request(&answer);
                let responses = format!("{{{key}:{result}}}");
                answer = call(&mut client, "t", Some((&answer, &responses))).await;
            }
            responses_in_line(&answer)
        };
        let of = |index: usize| bytes_of(received[index].as_bytes(), &["result"]);
        assert_eq!([of(0), of(1)], results);
        assert_eq!(server.calls().len(), 1);
    }
}

pub(super) async fn successive_input_requests_are_answered(pairing: Pairing) {
    let rounds = [r#""one""#, r#""two""#];
    let input_required =
        rounds.map(|state| input_required_result(&[("k", &ELICITATION)], Some(state)));
    let server = input_requiring_server(pairing, input_required.to_vec())
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let results = [r#"{"action":"accept"}"#, r#"{"action":"decline"}"#];
    if pairing.legacy_client() {
        let id = client.send_call("t", json!({})).await;
        for result in results {
            client.answer_next(ELICITATION.method, result).await;
        }
        assert_eq!(client.response(id).await["result"]["done"], true);
    } else {
        let mut answer = call(&mut client, "t", None).await;
        for result in results {
            let responses = format!(r#"{{"k":{result}}}"#);
            answer = call(&mut client, "t", Some((&answer, &responses))).await;
        }
    }
    let calls = server.calls();
    let of = |index: usize| {
        let state = bytes_of(&calls[index], &["params", "requestState"]);
        let result = bytes_of(&calls[index], &["params", "inputResponses", "k"]);
        (state, result)
    };
    assert_eq!(
        [of(1), of(2)],
        [(rounds[0], results[0]), (rounds[1], results[1])]
    );
}

pub(super) async fn state_without_requests_is_sent_back(pairing: Pairing) {
    let input_required = input_required_result(&[], Some(r#""s\u0031""#));
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let response = client.call("t", json!({})).await;
    assert_eq!(response["result"]["done"], true, "{response}");
    let retry = server.calls().pop().unwrap();
    assert_eq!(
        bytes_of(&retry, &["params", "requestState"]),
        r#""s\u0031""#
    );
    assert_eq!(part(&retry, &["params", "inputResponses"]), None);
    assert!(client.server_requests().is_empty());
}

pub(super) async fn state_without_requests_passes_unchanged(pairing: Pairing) {
    let input_required = input_required_result(&[], Some(r#""s\u0031""#));
    let server = input_requiring_server(pairing, vec![input_required.clone()])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let answer = call(&mut client, "t", None).await;
    assert_eq!(bytes_of(&answer, &["result"]), input_required);
}

pub(super) async fn declined_and_cancelled_results_pass_unchanged(pairing: Pairing) {
    for result in [
        r#"{ "action":"decline"}"#,
        r#"{ "action":"cancel","x":1E2}"#,
    ] {
        let received = match pairing.legacy_upstream() {
            true => decline_server_request(pairing, result).await,
            false => decline_input_request(pairing, result).await,
        };
        assert_eq!(received, result);
    }
}

async fn decline_server_request(pairing: Pairing, result: &'static str) -> String {
    let server = RequestSource::Call.requesting_server("7", &ELICITATION);
    let server = server.start().await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    let received = if pairing.legacy_client() {
        let id = client.send_call("t", json!({})).await;
        client.answer_next(ELICITATION.method, result).await;
        responses_in(&client.response(id).await)
    } else {
        let first = call(&mut client, "t", None).await;
        let responses = format!("{{{}:{result}}}", only_request(&first).0);
        responses_in_line(&call(&mut client, "t", Some((&first, &responses))).await)
    };
    bytes_of(received[0].as_bytes(), &["result"]).to_owned()
}

async fn decline_input_request(pairing: Pairing, result: &'static str) -> String {
    let input_required = input_required_result(&[("k", &ELICITATION)], Some(r#""s""#));
    let server = input_requiring_server(pairing, vec![input_required])
        .start()
        .await;
    let mut client = pairing.client_with(&server, all_capabilities()).await;
    if pairing.legacy_client() {
        let id = client.send_call("t", json!({})).await;
        client.answer_next(ELICITATION.method, result).await;
        client.response(id).await;
    } else {
        let first = call(&mut client, "t", None).await;
        let responses = format!(r#"{{"k":{result}}}"#);
        call(&mut client, "t", Some((&first, &responses))).await;
    }
    let retry = server.calls().pop().unwrap();
    bytes_of(&retry, &["params", "inputResponses", "k"]).to_owned()
}
