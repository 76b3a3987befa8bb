//! Suspended calls whose client sends no retry, cancels it or disconnects.

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    FORM, METHODS, SAMPLE, STREAM_KINDS, all_capabilities, barrier, modern_client,
    modern_client_of, parse_input_required, retry_params, value,
};
use crate::server_requests::request_state::server_with_one_elicitation;
use crate::server_requests::suspension::{accept_all, suspend_call};
use testkit::gate::Gate;
use testkit::json::request_line;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream;

/// Returns a predicate for responses with this id.
fn responds_to(id: &str) -> impl Fn(&Request) -> bool + use<> {
    let id = id.as_bytes().to_vec();
    move |response| response.rpc_method().is_empty() && response.id_bytes().as_ref() == Some(&id)
}

#[tokio::test]
async fn suspended_call_without_a_retry_in_time_is_cancelled() {
    for stream_kind in STREAM_KINDS {
        let server =
            stream_kind
                .server()
                .tool("work")
                .tool("echo")
                .on_call(move |call| async move {
                    if call.request.tool() == "work" {
                        let stream = stream_kind.stream(&call).await;
                        for (method, params) in METHODS {
                            let id = format!("{method:?}");
                            stream.send(request_line(&id, method, params)).await;
                        }
                        call.cancelled().await;
                    }
                    br#"{"content":[]}"#.to_vec()
                });
        let server = server.start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = modern_client(proxy.env("PROXY_INPUT_WAIT", "300ms")).await;
        let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
        let declined = server
            .wait_for_message("a response", responds_to(r#""elicitation/create""#))
            .await;
        assert_eq!(value(&declined)["result"], json!({"action": "cancel"}));
        for (method, _) in &METHODS[1..] {
            let id = format!("{method:?}");
            let refused = value(
                &server
                    .wait_for_message("a response", responds_to(&id))
                    .await,
            );
            assert_eq!(
                refused["error"]["code"], -32603,
                "{stream_kind:?} {refused}"
            );
        }
        let cancelled = value(&server.wait_for_cancelled().await);
        let call = value(&server.calls()[0]);
        assert_eq!(
            cancelled["params"]["requestId"], call["id"],
            "{stream_kind:?}"
        );
        // The retry arrives after the deadline.
        let retry = retry_params(params, &state, accept_all(&input_requests));
        let answer = client.request_in_era("tools/call", retry).await;
        assert_eq!(answer["error"]["code"], -32602, "{stream_kind:?} {answer}");
        barrier(&mut client).await;
        assert_eq!(server.responses().len(), 3, "{stream_kind:?}");
        assert_eq!(server.requests_of("notifications/cancelled").len(), 1);
    }
}

#[tokio::test]
async fn cancelled_retry_cancels_its_call_at_the_server() {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            if call.request.tool() == "work" {
                call.request("1", "elicitation/create", FORM).await;
                call.progress(1).await;
                call.cancelled().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let (params, state, input_requests) = suspend_call(&mut client, meta).await;
    let retry = retry_params(params, &state, accept_all(&input_requests));
    let id = client.send_request_in_era("tools/call", retry).await;
    client.notification("notifications/progress").await;
    client.cancel(id).await;
    let cancelled = value(&server.wait_for_cancelled().await);
    let call = value(&server.calls()[0]);
    assert_eq!(cancelled["params"]["requestId"], call["id"]);
    barrier(&mut client).await;
    let lines: Vec<Value> = client.received().iter().map(|line| value(line)).collect();
    assert!(
        !lines
            .iter()
            .any(|line| line["method"].is_null() && line["id"] == id)
    );
}

#[tokio::test]
async fn retry_cancelled_immediately_leaves_no_open_call() {
    for _ in 0..5 {
        let server = server_with_one_elicitation().await;
        let proxy = proxy::new().upstream("a", &server);
        let proxy = proxy.env("PROXY_INPUT_WAIT", "500ms");
        let mut client = modern_client(proxy).await;
        let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
        let retry = retry_params(params, &state, accept_all(&input_requests));
        let id = client.send_request_in_era("tools/call", retry).await;
        client.cancel(id).await;
        // The server receives either a cancellation or a response to its elicitation.
        let call = value(&server.calls()[0]);
        let any = responds_to(&format!("\"of {}\"", call["id"]));
        let ends_call =
            |response: &Request| response.is("notifications/cancelled") || any(response);
        server
            .wait_for_message("a cancellation or a response", ends_call)
            .await;
        barrier(&mut client).await;
    }
}

#[tokio::test]
async fn shutdown_cancels_suspended_calls_at_their_servers() {
    for stream_kind in STREAM_KINDS {
        let held = Gate::closed();
        let server = stream_kind.server().tool("work").on_call(move |call| {
            let held = held.clone();
            async move {
                let stream = stream_kind.stream(&call).await;
                stream
                    .send(request_line("1", "elicitation/create", FORM))
                    .await;
                held.passed().await;
                br#"{"content":[]}"#.to_vec()
            }
        });
        let server = server.start().await;
        let mut client = modern_client_of(&server).await;
        suspend_call(&mut client, json!({})).await;
        assert!(client.close().await.success());
        let cancelled = value(&server.wait_for_cancelled().await);
        let call = value(&server.calls()[0]);
        assert_eq!(
            cancelled["params"]["requestId"], call["id"],
            "{stream_kind:?}"
        );
    }
}

#[tokio::test]
async fn retry_continues_if_another_server_request_follows() {
    // The server sends another request as soon as it receives the response to the first.
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let first = call.request("1", "elicitation/create", FORM).await;
        let second = call.request("2", "sampling/createMessage", SAMPLE).await;
        let received = [first, second].map(|received| value(&received)["result"].take());
        json!({"content": [], "received": received})
            .to_string()
            .into()
    });
    let server = server.start().await;
    let mut client = modern_client_of(&server).await;
    let (params, state, input_requests) = suspend_call(&mut client, json!({})).await;
    // Responses that are not objects, with escapes in their keys, are forwarded to the server.
    let key = input_requests[0].0.replacen('a', "\\u0061", 1);
    let line = |id: &str, state: &str, responses: &str| {
        let mut params = client_params(&params);
        params.truncate(params.len() - 1);
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params},"inputResponses":{responses},"requestState":{state}}}}}"#
        )
    };
    let answer = client
        .exchange(line("71", &state, &format!(r#"{{"{key}":7}}"#)), "71")
        .await;
    let (state, input_requests) = parse_input_required(&answer);
    // `inputResponses` that are not an object contain no response.
    let answer = client.exchange(line("72", &state, "[1]"), "72").await;
    let (state, repeated) = parse_input_required(&answer);
    assert_eq!(repeated, input_requests);
    // The last of equal keys is used.
    let key = &input_requests[0].0;
    let twice = format!(r#"{{"{key}":1,"{key}":null}}"#);
    let answer = client.exchange(line("73", &state, &twice), "73").await;
    assert_eq!(value(&answer)["result"]["received"], json!([7, null]));
}

/// Returns parameters as a modern client sends them.
fn client_params(params: &Value) -> String {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = all_capabilities();
    proxy::with_meta(params).to_string()
}
