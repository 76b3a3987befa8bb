//! Parked calls: what belongs to whom, and what happens to them while nobody waits.

use serde_json::{Value, json};

use crate::asking::helpers::{
    FORM, fence, modern_before, modern_client, request_line, required, retry, value,
};
use crate::asking::parking::{accept, parked};
use testkit::gate::Gate;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::{self, Kind, Upstream};

testkit::per_kind! {
    [legacy http_sse]
    suspended_call_with_lost_connection_has_unknown_outcome
}

/// A server whose `work` and `other` ask once, and say what they heard; `echo` asks nothing.
pub(crate) async fn asking_once() -> Upstream {
    let server = upstream::legacy().tool("work").tool("other").tool("echo");
    let server = server.on_call(|call| async move {
        if call.request.tool() == "echo" {
            return br#"{"content":[]}"#.to_vec();
        }
        // Calls are told apart by their ids.
        let id = format!("\"of {}\"", call.request.json()["id"]);
        let received = call.request(&id, "elicitation/create", FORM).await;
        let received = value(&received)["result"]["action"].take();
        json!({"content": [], "heard": received}).to_string().into()
    });
    server.start().await
}

#[tokio::test]
async fn a_handle_is_good_for_its_own_call_alone_and_once() {
    let server = asking_once().await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    let responses = accept(&questions);
    let with = |key: &str, value: Value| {
        let mut params = retry(params.clone(), &state, responses.clone());
        params[key] = value;
        params
    };
    let unknown = [
        with("name", json!("other")),
        with("arguments", json!({"a": 2})),
        with("arguments", json!({"a": 1, "b": 1})),
        with("arguments", json!([])),
        with("requestState", json!("mcp-manifold:")),
        with("requestState", json!("mcp-manifold:AAAAAAAAAAAAAAAAAAAAAA")),
    ];
    for params in unknown {
        let answer = client.request_in_era("tools/call", params.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    }
    // Another request altogether.
    let answer = client
        .request_in_era("prompts/get", with("x", json!(0)))
        .await;
    assert!(answer["error"].is_object(), "{answer}");
    // It is still there for the right one, however that is written.
    let answer = client
        .request_in_era("tools/call", with("x", json!(0)))
        .await;
    assert_eq!(answer["result"]["heard"], "accept", "{answer}");
    let answer = client
        .request_in_era("tools/call", with("x", json!(0)))
        .await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(server.calls().len(), 1);
    assert_eq!(server.responses().len(), 1);
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_its_server_told() {
    let server = asking_once().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = modern_client(proxy.env("PROXY_PARKED_CALLS", "1")).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    let answer = client.call("other", json!({})).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("PROXY_PARKED_CALLS"), "{answer}");
    let calls = server.calls();
    let refused = value(&calls[1])["id"].take();
    let declined =
        |response: &Request| response.id_bytes() == Some(format!("\"of {refused}\"").into());
    let declined = value(&server.wait_for_message("the answer", declined).await);
    assert_eq!(declined["result"], json!({"action": "cancel"}));
    let cancelled = value(&server.wait_for_cancelled().await);
    assert_eq!(cancelled["params"]["requestId"], refused);
    // The first one is untouched, and makes room.
    let again = retry(params, &state, accept(&questions));
    let answer = client.request_in_era("tools/call", again).await;
    assert_eq!(answer["result"]["heard"], "accept", "{answer}");
    parked(&mut client, json!({})).await;
}

#[tokio::test]
async fn call_ending_while_suspended_gives_its_result_to_the_retry() {
    let gate = Gate::closed();
    let opens = gate.clone();
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(move |call| {
            let opens = opens.clone();
            async move {
                if call.request.tool() == "work" {
                    call.send(request_line("1", "elicitation/create", FORM))
                        .await;
                    opens.passed().await;
                    // As a server does that has waited long enough.
                    call.progress(7).await;
                }
                br#"{"content":[],"n":1.50}"#.to_vec()
            }
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let (params, state, questions) = parked(&mut client, meta).await;
    gate.open();
    fence(&mut client).await;
    let again = retry(params, &state, accept(&questions));
    let id = client.send_request_in_era("tools/call", again).await;
    let answer = client.answer_to(&id.to_string()).await;
    let result = testkit::json::bytes_of(&answer, &["result"]);
    assert_eq!(result, r#"{"resultType":"complete","content":[],"n":1.50}"#);
    assert_eq!(server.calls().len(), 2);
}

async fn suspended_call_with_lost_connection_has_unknown_outcome(kind: Kind) {
    let gate = Gate::closed();
    let held = gate.clone();
    let server = kind
        .server()
        .tool("work")
        .tool("echo")
        .on_call(move |call| {
            let held = held.clone();
            async move {
                if call.request.tool() == "work" {
                    call.send(request_line("1", "elicitation/create", FORM))
                        .await;
                    held.passed().await;
                }
                br#"{"content":[]}"#.to_vec()
            }
        });
    let mut server = server.start().await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    server.raw.stop().await;
    server.restart();
    let answer = loop {
        let again = retry(params.clone(), &state, accept(&questions));
        let answer = client.request_in_era("tools/call", again).await;
        // A server that has just come back.
        if answer["error"]["code"] != -31001 {
            break answer;
        }
    };
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert_eq!(server.calls().len(), 1);
    gate.open();
}

#[tokio::test]
async fn question_cancelled_while_call_is_suspended_needs_no_answer() {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        call.send(request_line(r#""\u0061""#, "elicitation/create", FORM))
            .await;
        let params = r#"{"requestId":"a"}"#;
        call.send(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#
        ))
        .await;
        // Asked after that, it is read after that.
        let received = call.request("2", "elicitation/create", FORM).await;
        let received = value(&received)["result"]["action"].take();
        json!({"content": [], "heard": received}).to_string().into()
    });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let (params, state, _) = parked(&mut client, json!({})).await;
    let again = retry(params.clone(), &state, json!({}));
    let id = client.send_request_in_era("tools/call", again).await;
    let (mut state, mut questions) = required(&client.answer_to(&id.to_string()).await);
    while questions.len() != 1 || questions[0].0 == "ask-1" {
        let again = retry(params.clone(), &state, json!({}));
        let id = client.send_request_in_era("tools/call", again).await;
        (state, questions) = required(&client.answer_to(&id.to_string()).await);
    }
    let mut responses = accept(&questions);
    // The answer to what is no longer asked.
    responses["ask-1"] = json!({"action": "accept"});
    let answer = client
        .request_in_era("tools/call", retry(params, &state, responses))
        .await;
    assert_eq!(answer["result"]["heard"], "accept", "{answer}");
    assert_eq!(server.responses().len(), 1);
}

#[tokio::test]
async fn handle_leads_back_to_the_asking_server_among_several() {
    // Neither lists it, so the first one is asked first.
    let without = upstream::legacy()
        .capabilities(r#"{"resources":{}}"#)
        .answers("resources/read", |request| {
            let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
            let error = r#"{"code":-32002,"message":"not here"}"#;
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
        });
    let with = upstream::legacy().capabilities(r#"{"resources":{}}"#);
    let with = with.on_request("resources/read", |call| async move {
        call.request("1", "elicitation/create", FORM).await;
        br#"{"contents":[]}"#.to_vec()
    });
    let (without, with) = (without.start().await, with.start().await);
    let proxy = proxy::new().upstream("a", &without).upstream("b", &with);
    let mut client = modern_client(proxy).await;
    let params = json!({"uri": "x://y"});
    let id = client
        .send_request_in_era("resources/read", params.clone())
        .await;
    let (state, questions) = required(&client.answer_to(&id.to_string()).await);
    let back = retry(params, &state, accept(&questions));
    let answer = client.request_in_era("resources/read", back).await;
    assert_eq!(answer["result"]["contents"], json!([]), "{answer}");
    assert_eq!(without.requests_of("resources/read").len(), 1);
}
