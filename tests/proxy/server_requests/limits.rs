//! Too many, undeclared or malformed server requests: the proxy refuses them and keeps serving other upstreams.

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    ACCEPTED, FORM, SAMPLE, StreamKind, ask_params, barrier, legacy_client, legacy_client_of,
    modern_client_of, parse_input_required, raw_id, requesting_server, retry_params, text, value,
};
use crate::server_requests::request_state::server_with_one_elicitation;
use crate::server_requests::suspension::{accept_all, suspend_call};
use testkit::json::{request_line, text_of};
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream;

/// The limit of pending requests of one server.
const MAX_PENDING: usize = 1024;

/// The limit of pending requests of one suspended call.
const MAX_PENDING_SUSPENDED: usize = 64;

#[tokio::test]
async fn server_flooding_its_client_is_refused_and_others_are_served() {
    let flood = upstream::legacy().tool("flood").on_call(|call| async move {
        for number in 0..MAX_PENDING + 100 {
            call.send(request_line(&number.to_string(), "roots/list", "{}"))
                .await;
        }
        call.wait_for_message("the responses", |response: &Request| {
            response.json()["id"] == 0 && response.json()["result"].is_object()
        })
        .await;
        br#"{"content":[]}"#.to_vec()
    });
    let flood = flood.start().await;
    let other = requesting_server(StreamKind::Standalone).await;
    let proxy = proxy::new().upstream("a", &flood).upstream("b", &other);
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let call = client.send_call("flood", json!({})).await;
    let refused =
        |response: &Request| response.method == "POST" && response.json()["error"].is_object();
    let refusals = flood.raw.wait_for_count(100, refused).await;
    for refusal in refusals {
        assert_eq!(refusal.json()["error"]["code"], -32603);
        assert!(refusal.json()["id"].as_u64().unwrap() >= MAX_PENDING as u64);
    }
    let params = value(ask_params("7", "elicitation/create", FORM).as_bytes());
    let other_call = client.send_call("ask", params["arguments"].clone()).await;
    let server_request = client.incoming_line("elicitation/create").await;
    client.answer(&server_request, ACCEPTED).await;
    let answer = client.response(other_call).await;
    assert!(answer["result"].is_object(), "{answer}");

    let forwarded = client.received_with("roots/list");
    assert_eq!(forwarded.len(), MAX_PENDING);
    client.respond(&forwarded[0], json!({"roots": []})).await;
    client.response(call).await;
}

#[tokio::test]
async fn suspended_call_holds_a_limited_number_of_server_requests() {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            if call.request.tool() == "work" {
                for number in 0..=MAX_PENDING_SUSPENDED {
                    call.send(request_line(&number.to_string(), "roots/list", "{}"))
                        .await;
                }
                call.wait_for_message("the responses", |response: &Request| {
                    response.json()["id"] == 0
                })
                .await;
            }
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let (params, state, _) = suspend_call(&mut client, json!({})).await;
    let refused = |response: &Request| response.json()["id"] == MAX_PENDING_SUSPENDED;
    let refused = value(&server.wait_for_message("the refusal", refused).await);
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
    let id = client
        .send_request_in_era(
            "tools/call",
            retry_params(params.clone(), &state, json!({})),
        )
        .await;
    let (state, input_requests) = parse_input_required(&client.answer_to(&id.to_string()).await);
    assert_eq!(input_requests.len(), MAX_PENDING_SUSPENDED);
    let responses = input_requests
        .iter()
        .map(|(key, _)| (key.clone(), json!({"roots": []})));
    let responses: serde_json::Map<_, _> = responses.collect();
    let retry = retry_params(params, &state, responses.into());
    let answer = client.request_in_era("tools/call", retry).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.responses().len(), MAX_PENDING_SUSPENDED + 1);
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
            // The call is suspended here.
            let second = call.request("3", "roots/list", "{}").await;
            let codes = [first, second].map(|received| value(&received)["error"]["code"].take());
            let text = json!(codes).to_string();
            let is_response = |response: &Request| response.id_bytes() == Some(b"2".into());
            call.wait_for_message("the response", is_response).await;
            json!({"content": [{"type": "text", "text": text}]})
                .to_string()
                .into()
        });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    client.declare(json!({"elicitation": {}}));
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    assert_eq!(input_requests.len(), 1);
    let refused = |response: &Request| response.id_bytes() == Some(b"3".into());
    let refused = server.wait_for_message("the refusal", refused).await;
    assert_eq!(raw_id(&refused), "3", "{}", text(refused.clone()));
    let answer = client
        .request_in_era(
            "tools/call",
            retry_params(params, &state, accept_all(&input_requests)),
        )
        .await;
    assert_eq!(text_of(&answer), "[-32601,-32601]");
    barrier(&mut client).await;
}

#[tokio::test]
async fn unusual_server_requests_are_forwarded_or_refused() {
    let malformed = [
        r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":[1,{"mode":"url"}]}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":{"a":[1]},"method":"sampling/createMessage","params":7}"#,
        r#"{"jsonrpc":"2.0","id":[],"method":"roots/list","params":null}"#,
        r#"{"jsonrpc":"2.0","id":2,"id":3,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"roots/list","params":{"_meta":7}}"#,
        r#"{"jsonrpc":"2.0","id":5,"m\u0065thod":"roots\/list","params":{"_m\u0065ta":{"progressToken":{}}}}"#,
        r#"{"jsonrpc":"2.0","id":6,"method":"","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"x/y","params":{"_meta":{"progressToken":1,"progressToken":2}}}"#,
        r#"{"jsonrpc":"2.0","id":8,"method":"elicitation/create","params":{"mode":7,"mode":null}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":[]}}"#,
    ];
    for line in malformed {
        for modern in [false, true] {
            let server = upstream::legacy().tool("work").tool("echo");
            let server = server.on_call(move |call| async move {
                if call.request.tool() == "work" {
                    call.send(line).await;
                    call.event_stream().await.send(line).await;
                }
                br#"{"content":[]}"#.to_vec()
            });
            let server = server.start().await;
            let mut client = match modern {
                true => modern_client_of(&server).await,
                false => legacy_client_of(&server).await,
            };
            let answer = client.call("work", json!({})).await;
            assert!(
                answer["result"].is_object() || answer["error"].is_object(),
                "{line}: {answer}"
            );
            for server_request in client.server_requests() {
                client.respond(&server_request, json!({"x": 1})).await;
            }
            barrier(&mut client).await;
            client.assert_every_line_is_json_rpc();
            assert!(
                !client.stderr().contains("panicked"),
                "{line}: {}",
                client.stderr()
            );
            assert!(client.close().await.success(), "{line}");
        }
    }
}

#[tokio::test]
async fn malformed_client_messages_do_not_affect_a_suspended_call() {
    let server = server_with_one_elicitation().await;
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    let with = |key: &str, malformed: &str| {
        let mut text = proxy::with_meta(params.clone()).to_string();
        text.truncate(text.len() - 1);
        format!(r#"{text},"{key}":{malformed}}}"#)
    };
    let malformed_params = [
        with("requestState", "7"),
        with("requestState", "[]"),
        with("requestState", r#""\ud800""#),
        with("requestState", r#""mcp-manifold:\u0000""#),
        with("inputResponses", "7"),
    ];
    // None of them retries the suspended call. An unknown `requestState` makes a separate call.
    for (number, params) in malformed_params.iter().enumerate() {
        let id = format!("7{number}");
        let line = proxy::call_line(&id, params);
        let answer = client.exchange(line, &id).await;
        assert!(!raw_id(&answer).is_empty());
    }
    let malformed = [
        r#"{"jsonrpc":"2.0","id":[],"result":{}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"mcp-manifold-18446744073709551616","error":7}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":[]}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":7}"#,
    ];
    for line in malformed {
        client.send_line(line).await;
    }
    let responses: Value = accept_all(&input_requests);
    let answer = client
        .request_in_era("tools/call", retry_params(params, &state, responses))
        .await;
    assert_eq!(answer["result"]["received"], "accept", "{answer}");
    client.assert_every_line_is_json_rpc();
    assert!(!client.stderr().contains("panicked"), "{}", client.stderr());
}
