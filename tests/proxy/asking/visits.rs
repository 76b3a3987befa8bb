//! Modern clients of legacy servers that refuse a call until a person has visited a URL (-32042).

use serde_json::{Value, json};

use crate::asking::helpers::{id_of, modern_before, required, retry, value};
use crate::asking::parking::{accept, parked};
use crate::asking::rounds::in_turn;
use testkit::json::bytes_of;
use testkit::upstream::{self, Upstream};

/// The error, with these elicitations.
fn refusal(elicitations: &str) -> String {
    format!(
        r#"{{ "code":-32042 ,"message":"\u0056isit","data":{{"elicitations":{elicitations},"x":1.0}}}}"#
    )
}

/// A server whose `work` is refused in these ways, one after the other, and then done.
async fn refusing(refusals: &[&str]) -> Upstream {
    let refusals = refusals
        .iter()
        .map(|error| format!(r#"{{"jsonrpc":"2.0","id":ID,"error":{error}}}"#));
    let done = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}"#;
    let answers: Vec<_> = refusals.chain([done.to_owned()]).collect();
    let answers: Vec<_> = answers.iter().map(String::as_str).collect();
    let answers = in_turn(&answers);
    let server = upstream::legacy().tool("work").reply_with(move |request| {
        let answer = String::from_utf8(answers(request)).unwrap();
        answer.replace("ID", &id_of(&request.body)).into()
    });
    server.start().await
}

const TWO: &str = r#"[{ "mode":"url" ,"elicitationId":"e1","url":"https:\/\/a.example/","message":"A"},{"elicitationId":"e2","mode":"url","url":"https://b.example/","message":"B"}]"#;

#[tokio::test]
async fn a_call_is_made_anew_after_the_visits() {
    let server = refusing(&[&refusal(TWO)]).await;
    let mut client = modern_before(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let params = json!({"name": "work", "arguments": {"a": 1}, "_meta": meta["_meta"]});
    let id = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    let answer = client.answer_to(&id.to_string()).await;
    let (state, questions) = required(&answer);
    assert_eq!(questions.len(), 2);
    let first = bytes_of(&answer, &["result", "inputRequests", &questions[0].0]);
    let expected = r#"{"method":"elicitation/create","params":{ "mode":"url" ,"url":"https:\/\/a.example/","message":"A"}}"#;
    assert_eq!(first, expected);

    let again = retry(params, &state, accept(&questions));
    let answer = client.request_in_era("tools/call", again).await;
    assert_eq!(answer["result"]["content"], json!([]), "{answer}");
    let calls: Vec<Value> = server.calls().iter().map(|call| value(call)).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["params"], calls[1]["params"]);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert!(server.responses().is_empty());
}

#[tokio::test]
async fn a_visit_that_is_declined_gives_the_refusal_itself() {
    for action in ["decline", "cancel", "\u{e9}"] {
        let server = refusing(&[&refusal(TWO)]).await;
        let mut client = modern_before(&server).await;
        let (params, state, questions) = parked(&mut client, json!({})).await;
        let mut responses = accept(&questions);
        responses[&questions[0].0] = json!({"action": action});
        let again = retry(params, &state, responses);
        let id = client.send_request_in_era("tools/call", again).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(bytes_of(&answer, &["error"]), refusal(TWO));
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_visit_stays_declined_when_another_is_made_later() {
    let server = refusing(&[&refusal(TWO)]).await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    let declined = json!({&questions[0].0: {"action": "decline"}});
    let id = client
        .send_request_in_era("tools/call", retry(params.clone(), &state, declined))
        .await;
    let (state, left) = required(&client.answer_to(&id.to_string()).await);
    assert_eq!(left, questions[1..]);
    let again = retry(params, &state, accept(&left));
    let answer = client.request_in_era("tools/call", again).await;
    assert_eq!(answer["error"]["code"], -32042, "{answer}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_call_may_be_refused_again_after_a_visit() {
    let server = refusing(&[&refusal(TWO), &refusal(TWO)]).await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    let again = retry(params.clone(), &state, accept(&questions));
    let id = client.send_request_in_era("tools/call", again).await;
    let (second, questions) = required(&client.answer_to(&id.to_string()).await);
    assert_ne!(second, state);
    let again = retry(params, &second, accept(&questions));
    let answer = client.request_in_era("tools/call", again).await;
    assert_eq!(answer["result"]["content"], json!([]), "{answer}");
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_refusal_that_names_no_visit_passes_as_it_is() {
    for elicitations in ["[]", "{}", "null", "7", "[7]", r#"["x",[]]"#] {
        let server = refusing(&[&refusal(elicitations)]).await;
        let mut client = modern_before(&server).await;
        let params = json!({"name": "work", "arguments": {}});
        let id = client.send_request_in_era("tools/call", params).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(bytes_of(&answer, &["error"]), refusal(elicitations));
    }
}

#[tokio::test]
async fn a_client_that_visits_no_urls_gets_the_refusal() {
    let server = refusing(&[&refusal(TWO), &refusal(TWO)]).await;
    let mut client = modern_before(&server).await;
    for capabilities in [json!({}), json!({"elicitation": {}})] {
        client.declare(capabilities);
        let params = json!({"name": "work", "arguments": {}});
        let id = client.send_request_in_era("tools/call", params).await;
        let answer = client.answer_to(&id.to_string()).await;
        assert_eq!(bytes_of(&answer, &["error"]), refusal(TWO));
    }
}
