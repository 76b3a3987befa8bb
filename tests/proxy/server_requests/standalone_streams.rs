//! Modern clients of legacy servers that send requests on a stream of no call.
//!
//! An open call of the client returns the input request.

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    FORM, METHODS, SAMPLE, StreamKind, all_capabilities, ask_params, barrier, legacy_client,
    modern_client, modern_client_of, parse_input_required, raw_id, requesting_server, retry_params,
    value,
};
use testkit::gate::Gate;
use testkit::json::{request_line, text_of};
use testkit::proxy;
use testkit::upstream::{self, Upstream};

/// Returns arguments of `ask`.
fn arguments(id: &str) -> Value {
    let call = value(ask_params(id, "elicitation/create", FORM).as_bytes());
    call["arguments"].clone()
}

#[tokio::test]
async fn server_request_outside_a_call_is_returned_by_the_call() {
    for stream_kind in [StreamKind::Standalone, StreamKind::Shared] {
        let server = requesting_server(stream_kind).await;
        let mut client = modern_client_of(&server).await;
        let params = json!({"name": "ask", "arguments": arguments("1")});
        let call = client
            .send_request_in_era("tools/call", params.clone())
            .await;
        let answer = client.answer_to(&call.to_string()).await;
        let (state, input_requests) = parse_input_required(&answer);
        assert_eq!(input_requests.len(), 1, "{stream_kind:?}");
        let responses = json!({&input_requests[0].0: {"action": "accept", "content": {}}});
        let answer = client
            .request_in_era("tools/call", retry_params(params, &state, responses))
            .await;
        assert_eq!(
            answer["result"]["received"]["id"], 1,
            "{stream_kind:?} {answer}"
        );
    }
}

#[tokio::test]
async fn oldest_of_several_calls_returns_the_server_request() {
    for stream_kind in [StreamKind::Standalone, StreamKind::Shared] {
        let gate = Gate::closed();
        let opens = gate.clone();
        let server = stream_kind
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
                    let stream = stream_kind.stream(&call).await;
                    let received = stream.request("1", "elicitation/create", FORM).await;
                    let text = json!(String::from_utf8(received).unwrap());
                    format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#).into_bytes()
                }
            });
        let server = server.start().await;
        let mut client = modern_client_of(&server).await;
        let params = json!({"name": "old", "arguments": {}});
        let old = client
            .send_request_in_era("tools/call", params.clone())
            .await;
        server.wait_for_calls(1).await;
        let young = client.send_call("young", json!({})).await;
        let answer = client.answer_to(&old.to_string()).await;
        let (state, input_requests) = parse_input_required(&answer);
        let responses = json!({&input_requests[0].0: {"action": "decline"}});
        let retry = client
            .send_request_in_era("tools/call", retry_params(params, &state, responses))
            .await;
        let answer = client.response(young).await;
        assert!(
            text_of(&answer).contains(r#""action":"decline""#),
            "{answer}"
        );
        gate.open();
        assert_eq!(
            text_of(&client.response(retry).await),
            "old",
            "{stream_kind:?}"
        );
    }
}

/// Starts a server that delays the response head of `slow` until the gate opens.
async fn server_delaying_head(gate: &Gate) -> Upstream {
    let server = upstream::legacy().tool("slow").tool("echo");
    let server = server.holding(gate, |request| request.tool() == "slow");
    server.start().await
}

/// Starts such a server and one that never responds, and returns a proxy with a short timeout for both.
async fn proxy_with_short_timeout(gate: &Gate) -> (Upstream, Upstream, proxy::Builder) {
    let server = server_delaying_head(gate).await;
    let clock = upstream::legacy().tool("clock").held_by(&Gate::closed());
    let clock = clock.start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &clock);
    let short = json!({"timeout": "300ms"});
    let proxy = proxy.extra("a", short.clone()).extra("b", short);
    (server, clock, proxy)
}

#[tokio::test]
async fn call_without_response_head_returns_the_server_request() {
    let gate = Gate::closed();
    let (server, _clock, proxy) = proxy_with_short_timeout(&gate).await;
    let mut client = modern_client(proxy).await;
    let params = json!({"name": "slow", "arguments": {}});
    let call = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    server.wait_for_request("tools/call").await;
    let stream = server.event_stream().await;
    let pending_request = stream.request("1", "elicitation/create", FORM);
    let client_response = async {
        let answer = client.answer_to(&call.to_string()).await;
        let (state, input_requests) = parse_input_required(&answer);
        // Longer than the timeout of a call without a server request.
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{silent}");
        }
        let responses = json!({&input_requests[0].0: {"action": "accept"}});
        client
            .send_request_in_era("tools/call", retry_params(params, &state, responses))
            .await
    };
    let (received, retry) = tokio::join!(pending_request, client_response);
    assert_eq!(value(&received)["result"]["action"], "accept");
    gate.open();
    assert_eq!(text_of(&client.response(retry).await), "slow {}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn pending_request_extends_a_call_without_response_head() {
    let gate = Gate::closed();
    let (server, _clock, proxy) = proxy_with_short_timeout(&gate).await;
    let mut client = legacy_client(proxy).await;
    let call = client.send_call("slow", json!({})).await;
    server.wait_for_request("tools/call").await;
    let stream = server.event_stream().await;
    let pending_request = stream.request("1", "elicitation/create", FORM);
    let client_response = async {
        let server_request = client.incoming_line("elicitation/create").await;
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{silent}");
        }
        client
            .answer(&server_request, r#""result":{"action":"accept"}"#)
            .await
    };
    tokio::join!(pending_request, client_response);
    gate.open();
    assert_eq!(text_of(&client.response(call).await), "slow {}");
}

#[tokio::test]
async fn call_without_response_or_server_request_times_out_once() {
    for modern in [false, true] {
        let server = server_delaying_head(&Gate::closed()).await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = proxy.extra("a", json!({"timeout": "300ms"})).start().await;
        match modern {
            true => client.declare(all_capabilities()),
            false => drop(client.initialize_with(all_capabilities()).await),
        }
        let answer = client.call("slow", json!({})).await;
        assert_eq!(answer["error"]["code"], -31003, "{answer}");
        assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
        assert_eq!(server.requests_of("tools/call").len(), 1);
    }
}

#[tokio::test]
async fn server_request_without_an_open_call_is_declined() {
    for stream_kind in [StreamKind::Standalone, StreamKind::Shared] {
        let server = requesting_server(stream_kind).await;
        let mut client = modern_client_of(&server).await;
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
async fn server_request_during_completion_is_declined() {
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
    let mut client = modern_client_of(&server).await;
    let params =
        json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "n", "value": ""}});
    let answer = client.request_in_era("completion/complete", params).await;
    assert_eq!(
        answer["result"]["completion"]["values"],
        json!([]),
        "{answer}"
    );
    barrier(&mut client).await;
}

#[tokio::test]
async fn response_and_server_request_in_one_event_are_both_kept() {
    // The stream carries a request of the second call, and then the response to the first call.
    let server = upstream::http_sse().tool("old").tool("young");
    let gate = Gate::closed();
    let opens = gate.clone();
    let server = server.on_call(move |call| {
        let opens = opens.clone();
        async move {
            if call.request.tool() == "old" {
                opens.passed().await;
                let server_request = request_line("1", "elicitation/create", FORM);
                let id = raw_id(&call.request.body);
                let result = r#"{"content":[{"type":"text","text":"old"}]}"#;
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                // One event carries both, so that no other message arrives between them.
                call.send(format!("[{server_request},{answer}]")).await;
                std::future::pending::<()>().await;
            }
            let answers = |response: &testkit::raw::Request| response.rpc_method().is_empty();
            call.wait_for_message("the response", answers).await;
            br#"{"content":[{"type":"text","text":"young"}]}"#.to_vec()
        }
    });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let params = json!({"name": "old", "arguments": {}});
    let old = client
        .send_request_in_era("tools/call", params.clone())
        .await;
    server.wait_for_calls(1).await;
    let young = client.send_call("young", json!({})).await;
    server.wait_for_calls(2).await;
    gate.open();
    let answer = client.answer_to(&old.to_string()).await;
    let (state, input_requests) = parse_input_required(&answer);
    let responses = json!({&input_requests[0].0: {"action": "accept"}});
    let answer = client
        .request_in_era("tools/call", retry_params(params, &state, responses))
        .await;
    assert_eq!(text_of(&answer), "old");
    assert_eq!(text_of(&client.response(young).await), "young");
}
