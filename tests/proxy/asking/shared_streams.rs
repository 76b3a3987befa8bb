//! Modern clients of legacy servers that ask on a stream which belongs to no call: some call of the
//! client's has to bring the question.

use serde_json::{Value, json};

use crate::asking::helpers::{
    FORM, METHODS, Place, SAMPLE, asking, everything, fence, modern_before, modern_client,
    required, retry, to_ask, value,
};
use testkit::gate::Gate;
use testkit::json::text_of;
use testkit::proxy;
use testkit::upstream::{self, Upstream};

/// Arguments of `ask`.
fn arguments(id: &str) -> Value {
    let call = value(to_ask(id, "elicitation/create", FORM).as_bytes());
    call["arguments"].clone()
}

#[tokio::test]
async fn what_is_asked_beside_a_call_is_brought_by_it() {
    for place in [Place::Aside, Place::Shared] {
        let server = asking(place).await;
        let mut client = modern_before(&server).await;
        let params = json!({"name": "ask", "arguments": arguments("1")});
        let call = client
            .send_request_in_era("tools/call", params.clone())
            .await;
        let answer = client.answer_to(&call.to_string()).await;
        let (state, questions) = required(&answer);
        assert_eq!(questions.len(), 1, "{place:?}");
        let responses = json!({&questions[0].0: {"action": "accept", "content": {}}});
        let answer = client
            .request_in_era("tools/call", retry(params, &state, responses))
            .await;
        assert_eq!(answer["result"]["heard"]["id"], 1, "{place:?} {answer}");
    }
}

#[tokio::test]
async fn of_several_calls_the_oldest_brings_it_and_all_are_answered() {
    for place in [Place::Aside, Place::Shared] {
        let gate = Gate::closed();
        let opens = gate.clone();
        let server = place
            .server()
            .tool("old")
            .tool("young")
            .on_call(move |call| {
                let opens = opens.clone();
                async move {
                    if call.request.tool() == "old" {
                        opens.passed().await;
                        return br#"{"content":[{"type":"text","text":"old"}]}"#.to_vec();
                    }
                    let stream = place.stream(&call).await;
                    let received = stream.request("1", "elicitation/create", FORM).await;
                    let text = json!(String::from_utf8(received).unwrap());
                    format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#).into_bytes()
                }
            });
        let server = server.start().await;
        let mut client = modern_before(&server).await;
        let params = json!({"name": "old", "arguments": {}});
        let old = client
            .send_request_in_era("tools/call", params.clone())
            .await;
        server.wait_for_calls(1).await;
        let young = client.send_call("young", json!({})).await;
        let answer = client.answer_to(&old.to_string()).await;
        let (state, questions) = required(&answer);
        let responses = json!({&questions[0].0: {"action": "decline"}});
        let again = client
            .send_request_in_era("tools/call", retry(params, &state, responses))
            .await;
        let answer = client.response(young).await;
        assert!(
            text_of(&answer).contains(r#""action":"decline""#),
            "{answer}"
        );
        gate.open();
        assert_eq!(text_of(&client.response(again).await), "old", "{place:?}");
    }
}

/// A server that holds the answers to calls of `slow` back, head and all, until the gate is open.
async fn headless(gate: &Gate) -> Upstream {
    let server = upstream::legacy().tool("slow").tool("echo");
    let server = server.holding(gate, |request| request.tool() == "slow");
    server.start().await
}

/// Such a server, one that never answers, and a proxy before both that gives them little time.
async fn impatient(gate: &Gate) -> (Upstream, Upstream, proxy::Builder) {
    let server = headless(gate).await;
    let clock = upstream::legacy().tool("clock").held_by(&Gate::closed());
    let clock = clock.start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &clock);
    let short = json!({"timeout": "300ms"});
    let proxy = proxy.extra("a", short.clone()).extra("b", short);
    (server, clock, proxy)
}

#[tokio::test]
async fn a_call_whose_answer_has_not_begun_brings_it_too() {
    let gate = Gate::closed();
    let (server, _clock, proxy) = impatient(&gate).await;
    let mut client = modern_client(proxy).await;
    let params = json!({"name": "slow", "arguments": {}});
    let call = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    server.wait_for_request("tools/call").await;
    let stream = server.event_stream().await;
    let asked = stream.request("1", "elicitation/create", FORM);
    let answered = async {
        let answer = client.answer_to(&call.to_string()).await;
        let (state, questions) = required(&answer);
        // Longer than the server may be silent to a client that nobody asks.
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{silent}");
        }
        let responses = json!({&questions[0].0: {"action": "accept"}});
        client
            .send_request_in_era("tools/call", retry(params, &state, responses))
            .await
    };
    let (received, again) = tokio::join!(asked, answered);
    assert_eq!(value(&received)["result"]["action"], "accept");
    gate.open();
    assert_eq!(text_of(&client.response(again).await), "slow {}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn a_legacy_client_has_time_although_the_answer_has_not_begun() {
    let gate = Gate::closed();
    let (server, _clock, proxy) = impatient(&gate).await;
    let mut client = crate::asking::helpers::legacy_client(proxy).await;
    let call = client.send_call("slow", json!({})).await;
    server.wait_for_request("tools/call").await;
    let stream = server.event_stream().await;
    let asked = stream.request("1", "elicitation/create", FORM);
    let answered = async {
        let ask = client.incoming_line("elicitation/create").await;
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{silent}");
        }
        client.answer(&ask, r#""result":{"action":"accept"}"#).await
    };
    tokio::join!(asked, answered);
    gate.open();
    assert_eq!(text_of(&client.response(call).await), "slow {}");
}

#[tokio::test]
async fn a_call_that_is_not_answered_and_not_asked_for_times_out_once() {
    for modern in [false, true] {
        let server = headless(&Gate::closed()).await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = proxy.extra("a", json!({"timeout": "300ms"})).start().await;
        match modern {
            true => client.declare(everything()),
            false => drop(client.initialize_with(everything()).await),
        }
        let answer = client.call("slow", json!({})).await;
        assert_eq!(answer["error"]["code"], -31003, "{answer}");
        assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
        assert_eq!(server.requests_of("tools/call").len(), 1);
    }
}

#[tokio::test]
async fn what_nobody_can_be_asked_is_declined() {
    for place in [Place::Aside, Place::Shared] {
        let server = asking(place).await;
        let mut client = modern_before(&server).await;
        client.tools().await;
        let stream = server.event_stream().await;
        let received = stream.request("1", "elicitation/create", FORM).await;
        assert_eq!(value(&received)["result"], json!({"action": "cancel"}));
        for (method, params) in &METHODS[1..] {
            let received = stream.request(&format!("{method:?}"), method, params).await;
            assert_eq!(value(&received)["error"]["code"], -32601, "{method}");
        }
        assert!(client.server_requests().is_empty());
    }
}

#[tokio::test]
async fn a_request_that_must_not_require_input_brings_no_question() {
    let capabilities = r#"{"tools":{},"completions":{},"prompts":{}}"#;
    let server = upstream::legacy()
        .tool("echo")
        .capabilities(capabilities)
        .offers("prompts", [r#"{"name":"p"}"#])
        .on_request("completion/complete", |call| async move {
            let received = call.request("1", "elicitation/create", FORM).await;
            assert_eq!(value(&received)["result"], json!({"action": "cancel"}));
            let received = call
                .event_stream()
                .await
                .request("2", "sampling/createMessage", SAMPLE)
                .await;
            assert_eq!(value(&received)["error"]["code"], -32601);
            br#"{"completion":{"values":[]}}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let what =
        json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "n", "value": ""}});
    let answer = client.request_in_era("completion/complete", what).await;
    assert_eq!(
        answer["result"]["completion"]["values"],
        json!([]),
        "{answer}"
    );
    fence(&mut client).await;
}

#[tokio::test]
async fn an_answer_and_a_question_in_one_breath_lose_neither() {
    // The one stream carries a question of the second call, and then the answer to the first.
    let server = upstream::http_sse().tool("old").tool("young");
    let gate = Gate::closed();
    let opens = gate.clone();
    let server = server.on_call(move |call| {
        let opens = opens.clone();
        async move {
            if call.request.tool() == "old" {
                opens.passed().await;
                let ask = crate::asking::helpers::request_line("1", "elicitation/create", FORM);
                let id = crate::asking::helpers::id_of(&call.request.body);
                let result = r#"{"content":[{"type":"text","text":"old"}]}"#;
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                // One event carries both, so that nothing comes between them.
                call.send(format!("[{ask},{answer}]")).await;
                std::future::pending::<()>().await;
            }
            let answers = |response: &testkit::raw::Request| response.rpc_method().is_empty();
            call.wait_for_message("the answer", answers).await;
            br#"{"content":[{"type":"text","text":"young"}]}"#.to_vec()
        }
    });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let params = json!({"name": "old", "arguments": {}});
    let old = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    server.wait_for_calls(1).await;
    let young = client.send_call("young", json!({})).await;
    server.wait_for_calls(2).await;
    gate.open();
    let answer = client.answer_to(&old.to_string()).await;
    let (state, questions) = required(&answer);
    let responses = json!({&questions[0].0: {"action": "accept"}});
    let answer = client
        .request_in_era("tools/call", retry(params, &state, responses))
        .await;
    assert_eq!(text_of(&answer), "old");
    assert_eq!(text_of(&client.response(young).await), "young");
}
