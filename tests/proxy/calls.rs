//! Concurrent calls, tools that a client may not call, and the errors of upstreams.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::Reply;
use testkit::upstream::{self, Call, Kind};
use tokio::sync::watch;

testkit::per_kind! {
    responses_arrive_in_upstream_order_not_call_order
    unanswered_call_delays_no_other_call
}

testkit::per_kind! {
    [legacy modern]
    upstream_error_passes_whole_at_any_http_status
}

/// The arguments of a call.
fn arguments(call: &Call) -> Value {
    call.request.json()["params"]["arguments"].take()
}

/// The ids of the responses in `lines`, in order.
fn response_ids(lines: &[Vec<u8>]) -> Vec<String> {
    let messages = lines
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let responses = messages.filter(|message| message.get("method").is_none());
    responses
        .map(|response| response["id"].to_string())
        .collect()
}

async fn responses_arrive_in_upstream_order_not_call_order(kind: Kind) {
    const CALLS: u64 = 300;
    // The server responds to the calls from this number on.
    let first_allowed = Arc::new(watch::Sender::new(CALLS));
    let gate = first_allowed.clone();
    let server = kind.server().tool("wait").on_call(move |call| {
        let gate = gate.clone();
        async move {
            let number = arguments(&call)["number"].as_u64().unwrap();
            gate.subscribe()
                .wait_for(|first_allowed| *first_allowed <= number)
                .await
                .unwrap();
            json!({"number": number}).to_string().into_bytes()
        }
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let before = response_ids(&client.received()).len();
    let mut ids = Vec::new();
    for number in 0..CALLS {
        let params = json!({"name": "wait", "arguments": {"number": number}});
        ids.push(client.send_request("tools/call", params).await);
    }
    server.wait_for_calls(ids.len()).await;
    for number in (0..CALLS).rev() {
        first_allowed.send_replace(number);
        let id = ids[usize::try_from(number).unwrap()];
        let response = client.response(id).await;
        assert_eq!(response["result"]["number"], number, "{response}");
    }
    let order: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!(response_ids(&client.received())[before..], order);
}

async fn unanswered_call_delays_no_other_call(kind: Kind) {
    let gate = Gate::closed();
    let held = gate.clone();
    let server = kind.server().tool("work").on_call(move |call| {
        let held = held.clone();
        async move {
            if arguments(&call)["slow"] == true {
                held.passed().await;
            }
            json!({"done": arguments(&call)}).to_string().into_bytes()
        }
    });
    let (server, other) = (
        server.start().await,
        upstream::legacy().tool("other").start().await,
    );
    let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
    let mut client = proxy.start().await;
    client.initialize().await;
    let slow = json!({"name": "work", "arguments": {"slow": true}});
    let slow = client.send_request("tools/call", slow).await;
    server.wait_for_calls(1).await;
    for number in 0..20 {
        let response = client.call("work", json!({"number": number})).await;
        assert_eq!(response["result"]["done"]["number"], number);
        client.call("other", json!({})).await;
    }
    assert!(!response_ids(&client.received()).contains(&slow.to_string()));
    gate.open();
    assert_eq!(client.response(slow).await["result"]["done"]["slow"], true);
}

#[tokio::test]
async fn filtered_or_unknown_tool_is_neither_listed_nor_called() {
    let server = upstream::legacy()
        .tool("get_a")
        .tool("get_secret")
        .tool("Delete_a")
        .start()
        .await;
    let only_included = json!({"include_tools": ["GET_*"], "ignore_tools": ["*_secret"]});
    let proxy = proxy::new()
        .upstream("a", &server)
        .extra("a", only_included);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["get_a"]);
    for hidden in [
        "get_secret",
        "Delete_a",
        "delete_a",
        "a__get_secret",
        "nowhere",
        "",
        "GET_A",
    ] {
        let response = client.call(hidden, json!({})).await;
        assert_eq!(response["error"]["code"], -32602, "{response}");
        let message = response["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{hidden}`")), "{message}");
    }
    for params in [
        "{}",
        r#"{"name":1}"#,
        r#"{"name":"get_a","name":"get_secret"}"#,
        r#"{"name":"get_a","n\u0061me":"get_secret"}"#,
        r#"{"n\u0061me":"get\u005fsecret"}"#,
        r#"{"name":"\ud800"}"#,
        "[]",
        "null",
    ] {
        let response = client.exchange(call_line("1000", params), "1000").await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        assert_eq!(response["error"]["code"], -32602, "{params}: {response}");
    }
    let no_params = r#"{"jsonrpc":"2.0","id":1000,"method":"tools/call"}"#;
    let response = client.exchange(no_params, "1000").await;
    assert!(String::from_utf8(response).unwrap().contains("-32602"));
    assert!(server.calls().is_empty());
    assert!(client.call("get_a", json!({})).await["result"].is_object());
}

#[tokio::test]
async fn request_id_already_in_flight_is_rejected() {
    let gate = Gate::closed();
    let held = gate.clone();
    let server = upstream::legacy().tool("wait").on_call(move |call| {
        let held = held.clone();
        async move {
            held.passed().await;
            json!({"echo": arguments(&call)}).to_string().into_bytes()
        }
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let call = |id: &str, number: u32| {
        call_line(id, &format!(r#"{{"name":"wait","arguments":{number}}}"#))
    };
    // Five different ids: the proxy compares them as they are written.
    let ids = ["7", r#""7""#, "7.0", "-7", r#""7.0""#];
    for (number, id) in (0..).zip(ids) {
        client.send_line(call(id, number)).await;
    }
    server.wait_for_calls(ids.len()).await;
    for id in ids {
        let rejection = client.exchange(call(id, 100), id).await;
        let rejection: Value = serde_json::from_slice(&rejection).unwrap();
        assert_eq!(rejection["error"]["code"], -32600, "{rejection}");
    }
    gate.open();
    for (number, id) in (0..).zip(ids) {
        let response = client.answer_to(id).await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        assert_eq!(response["result"]["echo"], json!(number), "{response}");
    }
    assert_eq!(server.calls().len(), ids.len());
    // After its response, an id may be used again.
    let response = client.exchange(call("7", 8), "7").await;
    assert!(String::from_utf8(response).unwrap().contains(r#""echo":8"#));
}

async fn upstream_error_passes_whole_at_any_http_status(kind: Kind) {
    // Longer than the excerpt that is read of an error page.
    let data = "x".repeat(100_000);
    let error = format!(
        r#""error":{{"code":-32099,"message":"no","data":{{"b":1.0,"a":"{data}"}},"x":1}}"#
    );
    for status in [200, 400, 403, 404, 422, 500] {
        // A legacy server responds with 404 if the session has expired.
        if kind == Kind::Legacy && status == 404 {
            continue;
        }
        let failure = error.clone();
        let server = kind.server().tool("fail").intercept(move |request| {
            let id = String::from_utf8(request.id_bytes()?).unwrap();
            let response = format!(r#"{{"jsonrpc":"2.0","id":{id},{failure}}}"#);
            let reply = Reply::json(response).with_status(status);
            request.is("tools/call").then_some(reply)
        });
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let response = client
            .exchange(call_line("1000", r#"{"name":"fail"}"#), "1000")
            .await;
        let expected = format!(r#"{{"jsonrpc":"2.0","id":1000,{error}}}"#);
        assert_eq!(String::from_utf8(response).unwrap(), expected, "{status}");
    }
}

#[tokio::test]
async fn legacy_call_with_non_object_meta_reaches_a_modern_upstream() {
    let modern = upstream::modern().tool("a").start().await;
    let mut client = proxy::before(&modern).await;
    let metas = ["null", "[]", "[{}]", "7", r#""{""#];
    for (meta, id) in metas.into_iter().zip(10..) {
        let params = format!(r#"{{"_meta":{meta},"name":"a","arguments":{{"n":1.0}}}}"#);
        let call =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
        let response = client.exchange(call, &id.to_string()).await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        assert!(response["result"].is_object(), "{meta}: {response}");
    }
    let calls = modern.calls();
    assert_eq!(calls.len(), metas.len());
    for call in calls {
        let call: Value = serde_json::from_slice(&call).unwrap();
        let meta = &call["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
    }
}
