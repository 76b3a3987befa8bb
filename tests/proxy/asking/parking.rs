//! Modern clients of legacy servers: a call that asks is parked, and the client comes back to it.

use serde_json::{Value, json};

use crate::asking::helpers::{
    FORM, METHODS, PLACES, SAMPLE, asking, fence, id_of, modern_before, request_line, required,
    retry, text, to_ask, value,
};
use testkit::json::{bytes_of, text_of};
use testkit::proxy::{Client, call_line, with_meta};
use testkit::upstream::{self, Upstream};

/// Calls `work` and gives the parameters, the handle and the questions.
pub(crate) async fn parked(
    client: &mut Client,
    extra: Value,
) -> (Value, String, Vec<(String, Value)>) {
    let mut params = json!({"name": "work", "arguments": {"a": 1}});
    for (key, value) in extra.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    let id = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    let (state, questions) = required(&client.answer_to(&id.to_string()).await);
    (params, state, questions)
}

/// Answers to all of these questions.
pub(crate) fn accept(questions: &[(String, Value)]) -> Value {
    let accepted = json!({"action": "accept"});
    let answers = questions
        .iter()
        .map(|(key, _)| (key.clone(), accepted.clone()));
    answers.collect::<serde_json::Map<_, _>>().into()
}

/// A server whose `work` asks this once for each method, one after the other, and says so.
async fn asking_in_turn() -> Upstream {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            let mut received = Vec::new();
            if call.request.tool() == "work" {
                for (method, params) in METHODS {
                    let answer = call.request(&format!("{method:?}"), method, params).await;
                    received.push(value(&answer)["result"].take());
                }
            }
            json!({"content": [], "heard": received}).to_string().into()
        });
    server.start().await
}

#[tokio::test]
async fn questions_and_answers_of_a_parked_call_stay_as_written() {
    let params = r#"{ "x":1.0E2 ,"message":"\u0041\/","requestedSchema":{} }"#;
    let result = r#"{ "action" : "\u0061ccept","content":{"n":1.50} }"#;
    for place in PLACES {
        let server = asking(place).await;
        let mut client = modern_before(&server).await;
        for (number, id) in [r#""\u0061\/""#, "-1.50", "123456789012345678901234567890"]
            .iter()
            .enumerate()
        {
            let ask = to_ask(id, "elicitation/create", params);
            let meta = with_meta(
                json!({"_meta": {"io.modelcontextprotocol/clientCapabilities": crate::asking::helpers::everything()}}),
            );
            let with = |more: &str| {
                format!(
                    "{},\"_meta\":{}{more}}}",
                    &ask[..ask.len() - 1],
                    meta["_meta"]
                )
            };
            let first = format!("10{number}");
            let answer = client.exchange(call_line(&first, &with("")), &first).await;
            let (state, questions) = required(&answer);
            let key = &questions[0].0;
            let question = bytes_of(&answer, &["result", "inputRequests", key]);
            let expected = format!(r#"{{"method":"elicitation/create","params":{params}}}"#);
            assert_eq!(question, expected, "{place:?}");

            let more =
                format!(r#","inputResponses":{{ "{key}" : {result} }},"requestState":{state}"#);
            let second = format!("20{number}");
            let answer = client
                .exchange(call_line(&second, &with(&more)), &second)
                .await;
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            assert_eq!(
                bytes_of(&answer, &["result", "heard"]),
                expected,
                "{place:?}"
            );
        }
        assert_eq!(server.responses().len(), 3, "{place:?}");
        assert_eq!(server.calls().len(), 3, "{place:?}");
    }
}

#[tokio::test]
async fn a_server_may_ask_again_and_again() {
    let server = asking_in_turn().await;
    let mut client = modern_before(&server).await;
    let (params, mut state, mut questions) = parked(&mut client, json!({})).await;
    for (number, (method, _)) in METHODS.iter().enumerate() {
        assert_eq!(questions.len(), 1);
        assert_eq!(questions[0].1["method"], *method);
        let responses = json!({&questions[0].0: {"number": number}});
        let again = retry(params.clone(), &state, responses);
        let id = client.send_request_in_era("tools/call", again).await;
        let answer = client.answer_to(&id.to_string()).await;
        if number == 2 {
            let received = &value(&answer)["result"]["heard"];
            assert_eq!(
                *received,
                json!([{"number": 0}, {"number": 1}, {"number": 2}])
            );
            return;
        }
        let before = state;
        (state, questions) = required(&answer);
        assert_ne!(state, before);
    }
}

#[tokio::test]
async fn what_is_not_answered_is_asked_again() {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let [a, b, c] = METHODS.map(|(method, params)| {
            let (id, stream) = (format!("{method:?}"), call.stream());
            async move { stream.request(&id, method, params).await }
        });
        let (a, b, c) = tokio::join!(a, b, c);
        let received = [a, b, c].map(|received| value(&received)["result"].take());
        json!({"content": [], "heard": received}).to_string().into()
    });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let (params, mut state, _) = parked(&mut client, json!({})).await;
    // All three are there at the latest when none is answered.
    let mut seen = Vec::new();
    let answer = loop {
        let again = retry(params.clone(), &state, json!({"other": {}}));
        let id = client.send_request_in_era("tools/call", again).await;
        let answer = client.answer_to(&id.to_string()).await;
        let questions;
        (state, questions) = required(&answer);
        if questions.len() < 3 {
            continue;
        }
        let methods = questions.iter().map(|(_, it)| it["method"].clone());
        seen.extend(methods);
        let (key, _) = questions
            .iter()
            .find(|(_, it)| it["method"] == "roots/list")
            .unwrap();
        let again = retry(params.clone(), &state, json!({key: {"is": "r"}}));
        let id = client.send_request_in_era("tools/call", again).await;
        let (state, left) = required(&client.answer_to(&id.to_string()).await);
        assert_eq!(left.len(), 2, "{left:?}");
        let responses = left
            .iter()
            .map(|(key, it)| (key.clone(), json!({"is": it["method"]})));
        let responses: serde_json::Map<_, _> = responses.collect();
        break client
            .request_in_era("tools/call", retry(params, &state, responses.into()))
            .await;
    };
    assert_eq!(seen.len(), 3);
    let received =
        json!([{"is": "elicitation/create"}, {"is": "sampling/createMessage"}, {"is": "r"}]);
    assert_eq!(answer["result"]["heard"], received, "{answer}");
    assert_eq!(server.responses().len(), 3);
}

#[tokio::test]
async fn progress_after_a_retry_has_its_token_or_is_not_forwarded() {
    let tokens = [json!(null), json!("first"), json!("second")];
    for (place, token) in PLACES
        .into_iter()
        .flat_map(|place| tokens.clone().map(|it| (place, it)))
    {
        let server = place.server().tool("work").on_call(|call| async move {
            call.progress(1).await;
            call.request("1", "elicitation/create", FORM).await;
            call.progress(2).await;
            call.progress(3).await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = modern_before(&server).await;
        let meta = json!({"_meta": {"progressToken": "first"}});
        let (mut params, state, questions) = parked(&mut client, meta).await;
        params["_meta"]["progressToken"] = token.clone();
        if token.is_null() {
            params["_meta"]
                .as_object_mut()
                .unwrap()
                .remove("progressToken");
        }
        let again = retry(params, &state, accept(&questions));
        let answer = client.request_in_era("tools/call", again).await;
        assert!(answer["result"].is_object(), "{answer}");
        let mut progress = Vec::new();
        for said in client.received_with("notifications/progress") {
            progress.push((
                said["params"]["progressToken"].clone(),
                said["params"]["progress"].clone(),
            ));
        }
        let mut expected = vec![(json!("first"), json!(1))];
        if !token.is_null() {
            expected.extend([(token.clone(), json!(2)), (token.clone(), json!(3))]);
        }
        assert_eq!(progress, expected, "{place:?} {token}");
        // The last line is the answer.
        let last = client.received().pop().unwrap();
        assert!(value(&last)["result"].is_object(), "{place:?} {token}");
    }
}

#[tokio::test]
async fn prompts_and_resources_are_parked_as_tools_are() {
    let capabilities = r#"{"tools":{},"prompts":{},"resources":{}}"#;
    let server = upstream::legacy()
        .capabilities(capabilities)
        .offers("prompts", [r#"{"name":"p"}"#])
        .offers("resources", [r#"{"name":"r","uri":"x:r"}"#]);
    let server = ["prompts/get", "resources/read"]
        .into_iter()
        .fold(server, |server, method| {
            server.on_request(method, move |call| async move {
                let received = call
                    .request(&format!("{method:?}"), "elicitation/create", FORM)
                    .await;
                let received = value(&received)["result"]["action"].take();
                json!({"heard": received}).to_string().into()
            })
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let requests = [
        ("prompts/get", json!({"name": "p"})),
        ("resources/read", json!({"uri": "x:r"})),
    ];
    for (method, params) in requests {
        let id = client.send_request_in_era(method, params.clone()).await;
        let (state, questions) = required(&client.answer_to(&id.to_string()).await);
        let again = retry(params, &state, accept(&questions));
        let answer = client.request_in_era(method, again).await;
        assert_eq!(answer["result"]["heard"], "accept", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(server.requests_of(method).len(), 1);
    }
}

#[tokio::test]
async fn undeclared_request_is_refused_while_the_call_is_suspended() {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            if call.request.tool() == "echo" {
                return br#"{"content":[]}"#.to_vec();
            }
            let first = call.request("1", "sampling/createMessage", SAMPLE).await;
            call.send(request_line("2", "elicitation/create", FORM))
                .await;
            // While the client is away.
            let second = call.request("3", "roots/list", "{}").await;
            let codes = [first, second].map(|received| value(&received)["error"]["code"].take());
            let text = json!(codes).to_string();
            let said = |response: &testkit::raw::Request| response.id_bytes() == Some(b"2".into());
            call.wait_for_message("the answer", said).await;
            json!({"content": [{"type": "text", "text": text}]})
                .to_string()
                .into()
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    client.declare(json!({"elicitation": {}}));
    let (params, state, questions) = parked(&mut client, json!({})).await;
    assert_eq!(questions.len(), 1);
    let refused = |response: &testkit::raw::Request| response.id_bytes() == Some(b"3".into());
    let refused = server.wait_for_message("the refusal", refused).await;
    assert_eq!(id_of(&refused), "3", "{}", text(refused.clone()));
    let answer = client
        .request_in_era("tools/call", retry(params, &state, accept(&questions)))
        .await;
    assert_eq!(text_of(&answer), "[-32601,-32601]");
    fence(&mut client).await;
}
