//! Legacy clients of modern servers: the proxy retries the call with the client's responses until it completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    ACCEPTED, FORM, SAMPLE, legacy_client_of, raw_id, text, value,
};
use testkit::json::{bytes_of, part};
use testkit::proxy::call_line;
use testkit::raw::Request;
use testkit::upstream::{self, Upstream};

/// A complete result.
pub(crate) const DONE: &str = r#"{"content":[],"resultType":"complete"}"#;

/// Returns a handler that gives these answers in turn and then repeats the last one.
pub(crate) fn in_turn(answers: &[&str]) -> impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static {
    let answers: Vec<_> = answers.iter().map(|it| it.as_bytes().to_vec()).collect();
    let count = Arc::new(AtomicUsize::new(0));
    move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        answers[number.min(answers.len() - 1)].clone()
    }
}

/// Starts a modern server whose `work` returns these results in turn.
pub(crate) async fn server_returning(results: &[&str]) -> Upstream {
    let server = upstream::modern().tool("work").reply_with(in_turn(results));
    server.start().await
}

/// Returns an `input_required` result with these input requests (JSON).
pub(crate) fn input_required(input_requests: &str) -> String {
    format!(r#"{{"resultType":"input_required","inputRequests":{input_requests}}}"#)
}

/// Returns an `input_required` result with one input request.
pub(crate) fn input_required_for(method: &str, params: &str) -> String {
    input_required(&format!(
        r#"{{"k":{{"method":"{method}","params":{params}}}}}"#
    ))
}

#[tokio::test]
async fn retry_carries_responses_and_request_state_as_written() {
    let first = format!(
        r#"{{ "requestState" : "a\u0062\/\\ \"" , "resultType" : "input\u005frequired","inputRequests":{{ "k\u0031":{{"method":"elicitation/create","params":{FORM}}} , "b" : {{ "params":{SAMPLE} ,"method":"sampling\/createMessage","x":1.0}},"":{{"method":"roots/list"}} }} }}"#
    );
    let second = input_required_for("elicitation/create", FORM);
    let server = server_returning(&[&first, &second, DONE]).await;
    let mut client = legacy_client_of(&server).await;
    let params = r#"{ "name":"work","x":[1.0],"arguments":{"n":1E2} ,"_meta":{"v\/w":0.10}}"#;
    client.send_line(call_line("\"c\"", params)).await;

    let elicitation = client.incoming_line("elicitation/create").await;
    let sampling = client.incoming_line("sampling/createMessage").await;
    let roots = client.incoming_line("roots/list").await;
    let envelope =
        |server_request: &[u8]| format!(r#"{{"jsonrpc":"2.0","id":{},"#, raw_id(server_request));
    let expected = format!(
        r#"{}"method":"elicitation/create","params":{FORM}}}"#,
        envelope(&elicitation)
    );
    assert_eq!(text(elicitation.clone()), expected);
    let expected = format!(
        r#"{} "params":{SAMPLE} ,"method":"sampling\/createMessage","x":1.0}}"#,
        envelope(&sampling)
    );
    assert_eq!(text(sampling.clone()), expected);
    let expected = format!(r#"{}"method":"roots/list"}}"#, envelope(&roots));
    assert_eq!(text(roots.clone()), expected);

    client.answer(&roots, r#""result":{ "roots":[ ] }"#).await;
    client.answer(&sampling, r#""result":{"s":1.50}"#).await;
    client
        .answer(&elicitation, r#""result":{"action":"\u0061ccept","e":-0}"#)
        .await;
    let again = client.incoming_line("elicitation/create").await;
    client.answer(&again, r#""result":7"#).await;
    let answer = client.answer_to("\"c\"").await;
    assert_eq!(bytes_of(&answer, &["result"]), DONE);

    let calls = server.calls();
    assert_eq!(calls.len(), 3);
    let member = |call: usize, key: &str| {
        let found = part(&calls[call], &["params", key]);
        found.map(str::to_owned)
    };
    assert_eq!(member(0, "inputResponses"), None);
    assert_eq!(member(0, "requestState"), None);
    let responses =
        r#"{"k\u0031":{"action":"\u0061ccept","e":-0},"b":{"s":1.50},"":{ "roots":[ ] }}"#;
    assert_eq!(member(1, "inputResponses").as_deref(), Some(responses));
    assert_eq!(
        member(1, "requestState").as_deref(),
        Some(r#""a\u0062\/\\ \"""#)
    );
    assert_eq!(member(2, "inputResponses").as_deref(), Some(r#"{"k":7}"#));
    // The second result has no `requestState`, and that of the first is not sent again.
    assert_eq!(member(2, "requestState"), None);
    for key in ["name", "x", "arguments", "_meta"] {
        assert_eq!(member(1, key), member(0, key), "{key}");
        assert_eq!(member(2, key), member(0, key), "{key}");
    }
    let ids: Vec<_> = calls.iter().map(|call| raw_id(call)).collect();
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "{ids:?}"
    );
}

#[tokio::test]
async fn call_with_only_request_state_is_retried_immediately() {
    let state =
        |state: &str| format!(r#"{{"resultType":"input_required","requestState":{state}}}"#);
    let server = server_returning(&[&state(r#""\u0031""#), &state("\"\""), DONE]).await;
    let mut client = legacy_client_of(&server).await;
    // A call without optional members.
    let answer = client
        .exchange(call_line("9", r#"{"name":"work"}"#), "9")
        .await;
    assert_eq!(bytes_of(&answer, &["result"]), DONE);
    assert!(client.server_requests().is_empty());
    let calls = server.calls();
    let states = calls
        .iter()
        .map(|call| part(call, &["params", "requestState"]));
    let states: Vec<_> = states.collect();
    assert_eq!(states, [None, Some(r#""\u0031""#), Some("\"\"")]);
    let answered = |call: &Vec<u8>| part(call, &["params", "inputResponses"]).is_some();
    assert!(!calls.iter().any(answered));
}

#[tokio::test]
async fn call_requiring_input_over_32_times_fails() {
    let server = server_returning(&[&input_required_for("roots/list", "{}")]).await;
    let mut client = legacy_client_of(&server).await;
    let call = client.send_call("work", json!({})).await;
    for _ in 0..32 {
        let server_request = client.incoming_request("roots/list").await;
        client.respond(&server_request, json!({"roots": []})).await;
    }
    let answer = client.response(call).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("required input more than 32 times"),
        "{answer}"
    );
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert_eq!(server.calls().len(), 33);
    assert_eq!(client.server_requests().len(), 32);
}

#[tokio::test]
async fn progress_of_every_retry_precedes_the_response() {
    let server = upstream::modern().tool("work").on_call(|call| async move {
        let params = &call.request.json()["params"];
        let round = params["requestState"].as_str().unwrap_or("0");
        let round: u64 = round.parse().unwrap();
        call.progress(2 * round + 1).await;
        call.progress(2 * round + 2).await;
        if round == 2 {
            return DONE.into();
        }
        let state = format!(r#","requestState":"{}"}}"#, round + 1);
        let result = input_required_for("elicitation/create", FORM);
        format!("{}{state}", &result[..result.len() - 1]).into()
    });
    let server = server.start().await;
    let mut client = legacy_client_of(&server).await;
    let params = r#"{"name":"work","_meta":{"progressToken":"\u0070"}}"#;
    client.send_line(call_line("9", params)).await;
    for _ in 0..2 {
        let server_request = client.incoming_line("elicitation/create").await;
        client.answer(&server_request, ACCEPTED).await;
    }
    client.answer_to("9").await;
    let lines: Vec<Value> = client.received().iter().map(|line| value(line)).collect();
    let events = lines.iter().map(|line| match line["method"].as_str() {
        Some("notifications/progress") => {
            assert_eq!(line["params"]["progressToken"], "p");
            line["params"]["progress"].to_string()
        }
        Some("elicitation/create") => "?".to_owned(),
        _ => line["id"].to_string(),
    });
    let events: Vec<_> = events.skip_while(|event| event != "1").collect();
    // The response to `initialize` has the id 1, too.
    let events = events.join(" ");
    assert!(events.ends_with("1 2 ? 3 4 ? 5 6 9"), "{events}");
}

#[tokio::test]
async fn prompts_and_resources_may_require_input() {
    let elicitation_result = input_required_for("elicitation/create", FORM);
    let capabilities = r#"{"tools":{},"prompts":{},"resources":{}}"#;
    let server = upstream::modern().capabilities(capabilities);
    let server = server
        .offers("prompts", [r#"{"name":"p"}"#])
        .offers("resources", [r#"{"name":"r","uri":"x:r"}"#])
        .answers("prompts/get", in_turn(&[&elicitation_result, DONE]))
        .answers("resources/read", in_turn(&[&elicitation_result, DONE]));
    let server = server.start().await;
    let mut client = legacy_client_of(&server).await;
    let requests = [
        ("prompts/get", json!({"name": "p"})),
        ("resources/read", json!({"uri": "x:r"})),
    ];
    for (method, params) in requests {
        let id = client.send_request_in_era(method, params).await;
        let server_request = client.incoming_line("elicitation/create").await;
        client.answer(&server_request, ACCEPTED).await;
        let answer = client.response(id).await;
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        let calls = server.requests_of(method);
        assert_eq!(calls.len(), 2);
        let responses = &calls[1].json()["params"]["inputResponses"];
        assert_eq!(
            *responses,
            json!({"k": {"action": "accept", "content": {}}})
        );
    }
}
