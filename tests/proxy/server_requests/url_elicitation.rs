//! Modern clients of legacy servers that refuse a call until the user has opened a URL (-32042).

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    modern_client_of, parse_input_required, raw_id, retry_params, value,
};
use crate::server_requests::multi_round_trip::in_turn;
use crate::server_requests::suspension::{accept_all, suspend_call};
use testkit::json::bytes_of;
use testkit::upstream::{self, Upstream};

/// Returns a URL elicitation error with these elicitations.
fn url_elicitation_error(elicitations: &str) -> String {
    format!(
        r#"{{ "code":-32042 ,"message":"\u0056isit","data":{{"elicitations":{elicitations},"x":1.0}}}}"#
    )
}

/// Starts a server whose `work` fails with these errors in turn and then succeeds.
async fn server_refusing(refusals: &[&str]) -> Upstream {
    let refusals = refusals
        .iter()
        .map(|error| format!(r#"{{"jsonrpc":"2.0","id":ID,"error":{error}}}"#));
    let done = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}"#;
    let answers: Vec<_> = refusals.chain([done.to_owned()]).collect();
    let answers: Vec<_> = answers.iter().map(String::as_str).collect();
    let answers = in_turn(&answers);
    let server = upstream::legacy().tool("work").reply_with(move |request| {
        let answer = String::from_utf8(answers(request)).unwrap();
        answer.replace("ID", &raw_id(&request.body)).into()
    });
    server.start().await
}

const TWO_ELICITATIONS: &str = r#"[{ "mode":"url" ,"elicitationId":"e1","url":"https:\/\/a.example/","message":"A"},{"elicitationId":"e2","mode":"url","url":"https://b.example/","message":"B"}]"#;

#[tokio::test]
async fn call_is_sent_again_after_accepted_url_elicitations() {
    let server = server_refusing(&[&url_elicitation_error(TWO_ELICITATIONS)]).await;
    let mut client = modern_client_of(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let params = json!({"name": "work", "arguments": {"a": 1}, "_meta": meta["_meta"]});
    let id = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    let answer = client.answer_to(&id.to_string()).await;
    let (state, input_requests) = parse_input_required(&answer);
    assert_eq!(input_requests.len(), 2);
    let first = bytes_of(&answer, &["result", "inputRequests", &input_requests[0].0]);
    let expected = r#"{"method":"elicitation/create","params":{ "mode":"url" ,"url":"https:\/\/a.example/","message":"A"}}"#;
    assert_eq!(first, expected);

    let retry = retry_params(params, &state, accept_all(&input_requests));
    let answer = client.request_in_era("tools/call", retry).await;
    assert_eq!(answer["result"]["content"], json!([]), "{answer}");
    let calls: Vec<Value> = server.calls().iter().map(|call| value(call)).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["params"], calls[1]["params"]);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert!(server.responses().is_empty());
}

#[tokio::test]
async fn declined_url_elicitation_returns_the_servers_error() {
    for action in ["decline", "cancel", "\u{e9}"] {
        let server = server_refusing(&[&url_elicitation_error(TWO_ELICITATIONS)]).await;
        let mut client = modern_client_of(&server).await;
        let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
        let mut responses = accept_all(&input_requests);
        responses[&input_requests[0].0] = json!({"action": action});
        let retry = retry_params(params, &state, responses);
        let id = client.send_request_in_era("tools/call", retry).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(
            bytes_of(&answer, &["error"]),
            url_elicitation_error(TWO_ELICITATIONS)
        );
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn url_elicitation_stays_declined_if_another_is_accepted() {
    let server = server_refusing(&[&url_elicitation_error(TWO_ELICITATIONS)]).await;
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    let declined = json!({&input_requests[0].0: {"action": "decline"}});
    let id = client
        .send_request_in_era("tools/call", retry_params(params.clone(), &state, declined))
        .await;
    let (state, remaining) = parse_input_required(&client.answer_to(&id.to_string()).await);
    assert_eq!(remaining, input_requests[1..]);
    let retry = retry_params(params, &state, accept_all(&remaining));
    let answer = client.request_in_era("tools/call", retry).await;
    assert_eq!(answer["error"]["code"], -32042, "{answer}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn call_may_require_url_elicitations_again() {
    let server = server_refusing(&[
        &url_elicitation_error(TWO_ELICITATIONS),
        &url_elicitation_error(TWO_ELICITATIONS),
    ])
    .await;
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    let retry = retry_params(params.clone(), &state, accept_all(&input_requests));
    let id = client.send_request_in_era("tools/call", retry).await;
    let (second, input_requests) = parse_input_required(&client.answer_to(&id.to_string()).await);
    assert_ne!(second, state);
    let retry = retry_params(params, &second, accept_all(&input_requests));
    let answer = client.request_in_era("tools/call", retry).await;
    assert_eq!(answer["result"]["content"], json!([]), "{answer}");
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn error_without_url_elicitations_is_forwarded_as_written() {
    for elicitations in ["[]", "{}", "null", "7", "[7]", r#"["x",[]]"#] {
        let server = server_refusing(&[&url_elicitation_error(elicitations)]).await;
        let mut client = modern_client_of(&server).await;
        let params = json!({"name": "work", "arguments": {}});
        let id = client.send_request_in_era("tools/call", params).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(
            bytes_of(&answer, &["error"]),
            url_elicitation_error(elicitations)
        );
    }
}

#[tokio::test]
async fn client_without_url_elicitation_receives_the_servers_error() {
    let server = server_refusing(&[
        &url_elicitation_error(TWO_ELICITATIONS),
        &url_elicitation_error(TWO_ELICITATIONS),
    ])
    .await;
    let mut client = modern_client_of(&server).await;
    for capabilities in [json!({}), json!({"elicitation": {}})] {
        client.declare(capabilities);
        let params = json!({"name": "work", "arguments": {}});
        let id = client.send_request_in_era("tools/call", params).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(
            bytes_of(&answer, &["error"]),
            url_elicitation_error(TWO_ELICITATIONS)
        );
    }
}
