//! Legacy clients of modern servers: calls that end before all input requests have a response.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::server_requests::helpers::{
    ACCEPTED, FORM, METHODS, SAMPLE, all_capabilities, legacy_client, legacy_client_of, value,
};
use crate::server_requests::multi_round_trip::{
    DONE, input_required, input_required_for, server_returning,
};
use testkit::json::{bytes_of, part};
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, Request};
use testkit::upstream;

#[tokio::test]
async fn failed_elicitation_counts_as_cancelled() {
    let server = server_returning(&[&input_required_for("elicitation/create", FORM), DONE]).await;
    let mut client = legacy_client_of(&server).await;
    let call = client.send_call("work", json!({})).await;
    let server_request = client.incoming_line("elicitation/create").await;
    client
        .answer(&server_request, r#""error":{"code":-1,"message":"no"}"#)
        .await;
    let answer = client.response(call).await;
    assert!(answer["result"].is_object(), "{answer}");
    let responses = server.calls();
    let responses = bytes_of(&responses[1], &["params", "inputResponses"]);
    assert_eq!(responses, r#"{"k":{"action":"cancel"}}"#);
}

#[tokio::test]
async fn client_error_ends_the_call_and_cancels_its_other_requests() {
    let error = r#"{ "code":-1 ,"message":"\u006eo","data":[1.0]}"#;
    for (method, params) in &METHODS[1..] {
        let input_requests = format!(
            r#"{{"e":{{"method":"elicitation/create","params":{FORM}}},"s":{{"method":"{method}","params":{params}}}}}"#
        );
        let server = server_returning(&[&input_required(&input_requests), DONE]).await;
        let mut client = legacy_client_of(&server).await;
        client.send_line(call_line("9", r#"{"name":"work"}"#)).await;
        let open = client.incoming_request("elicitation/create").await;
        let server_request = client.incoming_line(method).await;
        client
            .answer(&server_request, &format!("\"error\":{error}"))
            .await;
        let answer = client.answer_to("9").await;
        assert_eq!(bytes_of(&answer, &["error"]), error);
        let cancelled = client.notification("notifications/cancelled").await;
        assert_eq!(cancelled["params"]["requestId"], open["id"], "{method}");
        assert_eq!(server.calls().len(), 1, "{method}");
    }
}

#[tokio::test]
async fn undeclared_input_request_fails_the_call() {
    let by_url = r#"{"mode":"url","url":"http://localhost/","message":"?"}"#;
    let cases = [
        (json!({}), METHODS[0]),
        (json!({"elicitation": {}}), METHODS[1]),
        (json!({"elicitation": {}}), ("elicitation/create", by_url)),
        (json!({"sampling": {}}), METHODS[2]),
    ];
    for (capabilities, (method, params)) in cases {
        let server = server_returning(&[&input_required_for(method, params), DONE]).await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize_with(capabilities).await;
        let answer = client.call("work", json!({})).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(method), "{answer}");
        assert!(message.contains("did not declare"), "{answer}");
        assert!(client.server_requests().is_empty());
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn malformed_input_requests_fail_the_call() {
    let many: Vec<_> = (0..65)
        .map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#))
        .collect();
    let many = format!("{{{}}}", many.join(","));
    let broken = [
        "[]",
        "7",
        r#""k""#,
        "{}",
        "null",
        r#"{"k":5}"#,
        r#"{"k":[]}"#,
        r#"{"k":{}}"#,
        r#"{"k":{"params":{}}}"#,
        r#"{"k":{"result":{}}}"#,
        r#"{"k":{"method":7}}"#,
        r#"{"ok":{"method":"roots/list"},"k":{"error":{}}}"#,
        &many,
    ];
    for input_requests in broken {
        let server = server_returning(&[&input_required(input_requests), DONE]).await;
        let mut client = legacy_client_of(&server).await;
        let answer = client.call("work", json!({})).await;
        assert_eq!(
            answer["error"]["code"], -31006,
            "{input_requests}: {answer}"
        );
        assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
        assert!(client.server_requests().is_empty(), "{input_requests}");
        assert_eq!(server.calls().len(), 1, "{input_requests}");
        client.assert_every_line_is_json_rpc();
    }
    // With a `requestState` a retry would be possible, but the result is still malformed.
    for input_requests in ["[]", "7"] {
        let result = format!(
            r#"{{"resultType":"input_required","requestState":"s","inputRequests":{input_requests}}}"#
        );
        let server = server_returning(&[&result, DONE]).await;
        let mut client = legacy_client_of(&server).await;
        let answer = client.call("work", json!({})).await;
        assert_eq!(
            answer["error"]["code"], -31006,
            "{input_requests}: {answer}"
        );
    }
}

#[tokio::test]
async fn last_of_equal_keys_is_used() {
    let result = r#"{"resultType":"input_required","requestState":"a","inputRequests":{"x":{"method":"roots/list"}},"requestState":"b","inputRequests":{"k":{"method":"roots/list"},"\u006b":{"method":"sampling/createMessage","params":{}}}}"#;
    let server = server_returning(&[result, DONE]).await;
    let mut client = legacy_client_of(&server).await;
    let call = client.send_call("work", json!({})).await;
    let server_request = client.incoming_line("sampling/createMessage").await;
    client.answer(&server_request, r#""result":{}"#).await;
    client.response(call).await;
    assert_eq!(client.server_requests().len(), 1);
    let calls = server.calls();
    assert_eq!(bytes_of(&calls[1], &["params", "requestState"]), "\"b\"");
    let responses = bytes_of(&calls[1], &["params", "inputResponses"]);
    assert_eq!(responses, r#"{"\u006b":{}}"#);
}

#[tokio::test]
async fn cancelled_call_cancels_its_requests_and_is_not_retried() {
    let server = server_returning(&[&input_required_for("elicitation/create", FORM), DONE]).await;
    let mut client = legacy_client_of(&server).await;
    let call = client.send_call("work", json!({})).await;
    let server_request = client.incoming_request("elicitation/create").await;
    client.cancel(call).await;
    let cancelled = client.notification("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], server_request["id"]);
    client
        .respond(&server_request, json!({"action": "accept"}))
        .await;
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    let answered = |call: &Vec<u8>| part(call, &["params", "inputResponses"]).is_some();
    assert!(!calls.iter().any(answered));
    let lines: Vec<Value> = client.received().iter().map(|line| value(line)).collect();
    let answers = |line: &&Value| line["method"].is_null() && line["id"] == call;
    assert_eq!(lines.iter().filter(answers).count(), 0);
    assert!(server.requests_of("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn lost_retry_of_a_call_is_not_sent_again() {
    let losses: [fn() -> Reply; 3] = [
        Reply::reset,
        || Reply::sse([": nothing\n\n"]),
        || Reply::cut("{\"jsonrpc\""),
    ];
    let tool =
        r#"{"name":"work","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#;
    for loss in losses {
        let rounds = AtomicUsize::new(0);
        let server = upstream::modern().tool_raw(tool);
        let server = server.reply_with(|_| input_required_for("roots/list", "{}").into());
        let server = server.intercept(move |request: &Request| {
            let second = request.is("tools/call") && rounds.fetch_add(1, Ordering::SeqCst) == 1;
            second.then(loss)
        });
        let server = server.start().await;
        let mut client = legacy_client_of(&server).await;
        let call = client.send_call("work", json!({})).await;
        let server_request = client.incoming_request("roots/list").await;
        client.respond(&server_request, json!({"roots": []})).await;
        let answer = client.response(call).await;
        assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
        assert_eq!(server.requests_of("tools/call").len(), 2);
        assert_eq!(client.server_requests().len(), 1);
    }
}

#[tokio::test]
async fn input_request_without_response_in_time_is_cancelled() {
    for (method, params) in [
        ("elicitation/create", FORM),
        ("sampling/createMessage", SAMPLE),
    ] {
        let server = server_returning(&[&input_required_for(method, params), DONE]).await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = legacy_client(proxy.env("PROXY_INPUT_WAIT", "200ms")).await;
        let call = client.send_call("work", json!({})).await;
        let server_request = client.incoming_line(method).await;
        let cancelled = client.notification("notifications/cancelled").await;
        assert_eq!(
            cancelled["params"]["requestId"],
            value(&server_request)["id"]
        );
        let answer = client.response(call).await;
        let calls = server.calls();
        match method {
            "elicitation/create" => {
                assert!(answer["result"].is_object(), "{answer}");
                let responses = bytes_of(&calls[1], &["params", "inputResponses"]);
                assert_eq!(responses, r#"{"k":{"action":"cancel"}}"#);
            }
            _ => {
                let message = answer["error"]["message"].as_str().unwrap();
                assert!(message.contains("PROXY_INPUT_WAIT"), "{answer}");
                assert_eq!(calls.len(), 1);
            }
        }
        client.answer(&server_request, ACCEPTED).await;
        let answer = client.request_in_era("tools/list", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn completion_cannot_require_input() {
    let server = upstream::modern()
        .tool("work")
        .capabilities(r#"{"tools":{},"completions":{},"prompts":{}}"#)
        .offers("prompts", [r#"{"name":"p"}"#])
        .answers("completion/complete", |_| {
            input_required_for("roots/list", "{}").into()
        });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize_with(all_capabilities()).await;
    let params =
        json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "n", "value": ""}});
    let answer = client.request_in_era("completion/complete", params).await;
    assert!(answer["error"].is_object(), "{answer}");
    assert!(client.server_requests().is_empty());
    assert_eq!(server.requests_of("completion/complete").len(), 1);
}
