//! Suspended calls: which retry a `requestState` accepts, and events before that retry.

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    FORM, barrier, modern_client, modern_client_of, parse_input_required, retry_params, value,
};
use crate::server_requests::suspension::{accept_all, suspend_call};
use testkit::gate::Gate;
use testkit::json::request_line;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::{self, Kind, Upstream};

testkit::per_kind! {
    [legacy http_sse]
    suspended_call_with_lost_connection_has_unknown_outcome
}

/// Starts a server whose `work` and `other` send one elicitation and return its action.
///
/// The tool `echo` sends no request.
pub(crate) async fn server_with_one_elicitation() -> Upstream {
    let server = upstream::legacy().tool("work").tool("other").tool("echo");
    let server = server.on_call(|call| async move {
        if call.request.tool() == "echo" {
            return br#"{"content":[]}"#.to_vec();
        }
        // The id of the elicitation contains the id of the call.
        let id = format!("\"of {}\"", call.request.json()["id"]);
        let received = call.request(&id, "elicitation/create", FORM).await;
        let received = value(&received)["result"]["action"].take();
        json!({"content": [], "received": received})
            .to_string()
            .into()
    });
    server.start().await
}

#[tokio::test]
async fn request_state_is_valid_once_and_for_its_own_call_only() {
    let server = server_with_one_elicitation().await;
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    let responses = accept_all(&input_requests);
    let with = |key: &str, value: Value| {
        let mut params = retry_params(params.clone(), &state, responses.clone());
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
    // A request with another method.
    let answer = client
        .request_in_era("prompts/get", with("x", json!(0)))
        .await;
    assert!(answer["error"].is_object(), "{answer}");
    // The call itself still accepts it; other members of the parameters may differ.
    let answer = client
        .request_in_era("tools/call", with("x", json!(0)))
        .await;
    assert_eq!(answer["result"]["received"], "accept", "{answer}");
    let answer = client
        .request_in_era("tools/call", with("x", json!(0)))
        .await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(server.calls().len(), 1);
    assert_eq!(server.responses().len(), 1);
}

#[tokio::test]
async fn call_over_the_limit_is_refused_and_cancelled_upstream() {
    let server = server_with_one_elicitation().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = modern_client(proxy.env("PROXY_PARKED_CALLS", "1")).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    let answer = client.call("other", json!({})).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("PROXY_PARKED_CALLS"), "{answer}");
    let calls = server.calls();
    let refused = value(&calls[1])["id"].take();
    let declined =
        |response: &Request| response.id_bytes() == Some(format!("\"of {refused}\"").into());
    let declined = value(&server.wait_for_message("the response", declined).await);
    assert_eq!(declined["result"], json!({"action": "cancel"}));
    let cancelled = value(&server.wait_for_cancelled().await);
    assert_eq!(cancelled["params"]["requestId"], refused);
    // The first call still completes, and another one may be suspended then.
    let retry = retry_params(params, &state, accept_all(&input_requests));
    let answer = client.request_in_era("tools/call", retry).await;
    assert_eq!(answer["result"]["received"], "accept", "{answer}");
    suspend_call(&mut client, json!({})).await;
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
                    // The server ends the call without a response to its elicitation.
                    call.progress(7).await;
                }
                br#"{"content":[],"n":1.50}"#.to_vec()
            }
        });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let (params, state, input_requests) = suspend_call(&mut client, meta).await;
    gate.open();
    barrier(&mut client).await;
    let retry = retry_params(params, &state, accept_all(&input_requests));
    let id = client.send_request_in_era("tools/call", retry).await;
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
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    server.raw.stop().await;
    server.restart();
    let answer = loop {
        let retry = retry_params(params.clone(), &state, accept_all(&input_requests));
        let answer = client.request_in_era("tools/call", retry).await;
        // Until the proxy has reconnected, the server is unavailable.
        if answer["error"]["code"] != -31001 {
            break answer;
        }
    };
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert_eq!(server.calls().len(), 1);
    gate.open();
}

#[tokio::test]
async fn server_request_cancelled_while_suspended_needs_no_response() {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        call.send(request_line(r#""\u0061""#, "elicitation/create", FORM))
            .await;
        let params = r#"{"requestId":"a"}"#;
        call.send(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#
        ))
        .await;
        // The proxy reads this request after the cancellation.
        let received = call.request("2", "elicitation/create", FORM).await;
        let received = value(&received)["result"]["action"].take();
        json!({"content": [], "received": received})
            .to_string()
            .into()
    });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let (params, state, _) = suspend_call(&mut client, json!({})).await;
    let retry = retry_params(params.clone(), &state, json!({}));
    let id = client.send_request_in_era("tools/call", retry).await;
    let (mut state, mut input_requests) =
        parse_input_required(&client.answer_to(&id.to_string()).await);
    while input_requests.len() != 1 || input_requests[0].0 == "ask-1" {
        let retry = retry_params(params.clone(), &state, json!({}));
        let id = client.send_request_in_era("tools/call", retry).await;
        (state, input_requests) = parse_input_required(&client.answer_to(&id.to_string()).await);
    }
    let mut responses = accept_all(&input_requests);
    // A response to the cancelled request.
    responses["ask-1"] = json!({"action": "accept"});
    let answer = client
        .request_in_era("tools/call", retry_params(params, &state, responses))
        .await;
    assert_eq!(answer["result"]["received"], "accept", "{answer}");
    assert_eq!(server.responses().len(), 1);
}

#[tokio::test]
async fn request_state_selects_the_server_among_several() {
    // Neither server lists the resource, so the first server receives the request first.
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
    let (state, input_requests) = parse_input_required(&client.answer_to(&id.to_string()).await);
    let retry = retry_params(params, &state, accept_all(&input_requests));
    let answer = client.request_in_era("resources/read", retry).await;
    assert_eq!(answer["result"]["contents"], json!([]), "{answer}");
    assert_eq!(without.requests_of("resources/read").len(), 1);
}
