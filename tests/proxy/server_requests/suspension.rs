//! Modern clients of legacy servers: a server request suspends the call, and the client retries it.

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    FORM, METHODS, STREAM_KINDS, all_capabilities, ask_params, modern_client_of,
    parse_input_required, requesting_server, retry_params, value,
};
use testkit::json::bytes_of;
use testkit::proxy::{Client, call_line, with_meta};
use testkit::upstream::{self, Upstream};

/// Calls `work` and returns its parameters, `requestState` and the input requests.
pub(crate) async fn suspend_call(
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
    let (state, input_requests) = parse_input_required(&client.answer_to(&id.to_string()).await);
    (params, state, input_requests)
}

/// Returns input responses that accept all these input requests.
pub(crate) fn accept_all(input_requests: &[(String, Value)]) -> Value {
    let accepted = json!({"action": "accept"});
    let answers = input_requests
        .iter()
        .map(|(key, _)| (key.clone(), accepted.clone()));
    answers.collect::<serde_json::Map<_, _>>().into()
}

/// Starts a server whose `work` sends one request of each method in sequence and returns the results.
async fn server_with_sequential_requests() -> Upstream {
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
            json!({"content": [], "received": received})
                .to_string()
                .into()
        });
    server.start().await
}

#[tokio::test]
async fn input_requests_and_responses_are_forwarded_as_written() {
    let params = r#"{ "x":1.0E2 ,"message":"\u0041\/","requestedSchema":{} }"#;
    let result = r#"{ "action" : "\u0061ccept","content":{"n":1.50} }"#;
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let mut client = modern_client_of(&server).await;
        for (number, id) in [r#""\u0061\/""#, "-1.50", "123456789012345678901234567890"]
            .iter()
            .enumerate()
        {
            let call_params = ask_params(id, "elicitation/create", params);
            let meta = with_meta(
                json!({"_meta": {"io.modelcontextprotocol/clientCapabilities": all_capabilities()}}),
            );
            let with = |more: &str| {
                format!(
                    "{},\"_meta\":{}{more}}}",
                    &call_params[..call_params.len() - 1],
                    meta["_meta"]
                )
            };
            let first = format!("10{number}");
            let answer = client.exchange(call_line(&first, &with("")), &first).await;
            let (state, input_requests) = parse_input_required(&answer);
            let key = &input_requests[0].0;
            let input_request = bytes_of(&answer, &["result", "inputRequests", key]);
            let expected = format!(r#"{{"method":"elicitation/create","params":{params}}}"#);
            assert_eq!(input_request, expected, "{stream_kind:?}");

            let more =
                format!(r#","inputResponses":{{ "{key}" : {result} }},"requestState":{state}"#);
            let second = format!("20{number}");
            let answer = client
                .exchange(call_line(&second, &with(&more)), &second)
                .await;
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            assert_eq!(
                bytes_of(&answer, &["result", "received"]),
                expected,
                "{stream_kind:?}"
            );
        }
        assert_eq!(server.responses().len(), 3, "{stream_kind:?}");
        assert_eq!(server.calls().len(), 3, "{stream_kind:?}");
    }
}

#[tokio::test]
async fn suspended_call_may_require_input_several_times() {
    let server = server_with_sequential_requests().await;
    let mut client = modern_client_of(&server).await;
    let (params, mut state, mut input_requests) = suspend_call(&mut client, json!({})).await;
    for (number, (method, _)) in METHODS.iter().enumerate() {
        assert_eq!(input_requests.len(), 1);
        assert_eq!(input_requests[0].1["method"], *method);
        let responses = json!({&input_requests[0].0: {"number": number}});
        let retry = retry_params(params.clone(), &state, responses);
        let id = client.send_request_in_era("tools/call", retry).await;
        let answer = client.answer_to(&id.to_string()).await;
        if number == 2 {
            let received = &value(&answer)["result"]["received"];
            assert_eq!(
                *received,
                json!([{"number": 0}, {"number": 1}, {"number": 2}])
            );
            return;
        }
        let before = state;
        (state, input_requests) = parse_input_required(&answer);
        assert_ne!(state, before);
    }
}

#[tokio::test]
async fn unanswered_input_requests_are_repeated() {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let [a, b, c] = METHODS.map(|(method, params)| {
            let (id, stream) = (format!("{method:?}"), call.stream());
            async move { stream.request(&id, method, params).await }
        });
        let (a, b, c) = tokio::join!(a, b, c);
        let received = [a, b, c].map(|received| value(&received)["result"].take());
        json!({"content": [], "received": received})
            .to_string()
            .into()
    });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let (params, mut state, _) = suspend_call(&mut client, json!({})).await;
    // An empty retry returns the input requests so far; repeat it until all three have arrived.
    let mut seen = Vec::new();
    let answer = loop {
        let retry = retry_params(params.clone(), &state, json!({"other": {}}));
        let id = client.send_request_in_era("tools/call", retry).await;
        let answer = client.answer_to(&id.to_string()).await;
        let input_requests;
        (state, input_requests) = parse_input_required(&answer);
        if input_requests.len() < 3 {
            continue;
        }
        let methods = input_requests.iter().map(|(_, it)| it["method"].clone());
        seen.extend(methods);
        let (key, _) = input_requests
            .iter()
            .find(|(_, it)| it["method"] == "roots/list")
            .unwrap();
        let retry = retry_params(params.clone(), &state, json!({key: {"is": "r"}}));
        let id = client.send_request_in_era("tools/call", retry).await;
        let (state, remaining) = parse_input_required(&client.answer_to(&id.to_string()).await);
        assert_eq!(remaining.len(), 2, "{remaining:?}");
        let responses = remaining
            .iter()
            .map(|(key, it)| (key.clone(), json!({"is": it["method"]})));
        let responses: serde_json::Map<_, _> = responses.collect();
        break client
            .request_in_era("tools/call", retry_params(params, &state, responses.into()))
            .await;
    };
    assert_eq!(seen.len(), 3);
    let received =
        json!([{"is": "elicitation/create"}, {"is": "sampling/createMessage"}, {"is": "r"}]);
    assert_eq!(answer["result"]["received"], received, "{answer}");
    assert_eq!(server.responses().len(), 3);
}

#[tokio::test]
async fn progress_after_a_retry_has_its_token_or_is_not_forwarded() {
    let tokens = [json!(null), json!("first"), json!("second")];
    for (stream_kind, token) in STREAM_KINDS
        .into_iter()
        .flat_map(|stream_kind| tokens.clone().map(|it| (stream_kind, it)))
    {
        let server = stream_kind
            .server()
            .tool("work")
            .on_call(|call| async move {
                call.progress(1).await;
                call.request("1", "elicitation/create", FORM).await;
                call.progress(2).await;
                call.progress(3).await;
                br#"{"content":[]}"#.to_vec()
            });
        let server = server.start().await;
        let mut client = modern_client_of(&server).await;
        let meta = json!({"_meta": {"progressToken": "first"}});
        let (mut params, state, input_requests) = suspend_call(&mut client, meta).await;
        params["_meta"]["progressToken"] = token.clone();
        if token.is_null() {
            params["_meta"]
                .as_object_mut()
                .unwrap()
                .remove("progressToken");
        }
        let retry = retry_params(params, &state, accept_all(&input_requests));
        let answer = client.request_in_era("tools/call", retry).await;
        assert!(answer["result"].is_object(), "{answer}");
        let mut progress = Vec::new();
        for notification in client.received_with("notifications/progress") {
            progress.push((
                notification["params"]["progressToken"].clone(),
                notification["params"]["progress"].clone(),
            ));
        }
        let mut expected = vec![(json!("first"), json!(1))];
        if !token.is_null() {
            expected.extend([(token.clone(), json!(2)), (token.clone(), json!(3))]);
        }
        assert_eq!(progress, expected, "{stream_kind:?} {token}");
        // The last line is the response.
        let last = client.received().pop().unwrap();
        assert!(
            value(&last)["result"].is_object(),
            "{stream_kind:?} {token}"
        );
    }
}

#[tokio::test]
async fn prompts_and_resources_are_suspended_like_tool_calls() {
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
                json!({"received": received}).to_string().into()
            })
        });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let requests = [
        ("prompts/get", json!({"name": "p"})),
        ("resources/read", json!({"uri": "x:r"})),
    ];
    for (method, params) in requests {
        let id = client.send_request_in_era(method, params.clone()).await;
        let (state, input_requests) =
            parse_input_required(&client.answer_to(&id.to_string()).await);
        let retry = retry_params(params, &state, accept_all(&input_requests));
        let answer = client.request_in_era(method, retry).await;
        assert_eq!(answer["result"]["received"], "accept", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(server.requests_of(method).len(), 1);
    }
}
