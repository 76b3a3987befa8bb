//! Logs that a legacy upstream sends on its standalone event stream.

use serde_json::json;

use super::*;
use testkit::gate::Gate;
use testkit::proxy::with_meta;
use testkit::sessions::Sessions;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

// Legacy upstreams have a standalone stream.
testkit::per_kind! {
    [legacy http_sse]
    session_receives_logs_from_its_level_on
    modern_client_receives_logs_while_a_request_sets_a_level
}

fn log_params(level: &str, data: &str) -> String {
    format!(r#"{{"data":"{data}","level":"{level}"}}"#)
}

/// Waits until the proxy has read all messages on the server's event stream.
///
/// Sends a list change and waits for the `tools/list` request that follows it.
async fn wait_until_read(server: &Upstream) {
    let lists = |request: &Request| request.rpc_method() == "tools/list";
    let so_far = server.raw.requests().into_iter().filter(lists).count();
    server.list_changed().await;
    server.raw.wait_for_count(so_far + 1, lists).await;
}

async fn session_receives_logs_from_its_level_on(kind: Kind) {
    let server = with_logging(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let before = client.received().len();
    let send_log = |level: &'static str, data: &'static str| {
        let server = &server;
        async move {
            let params = log_params(level, data);
            server.notify("notifications/message", &params).await;
        }
    };
    send_log("debug", "all").await;
    client.notification("notifications/message").await;
    set_level(&mut client, "warning").await;
    for level in ["notice", "loud", "warning", "info", "error"] {
        send_log(level, "some").await;
    }
    for _ in 0..3 {
        client.notification("notifications/message").await;
    }
    let expected = [
        log_params("debug", "all"),
        log_params("loud", "some"),
        log_params("warning", "some"),
        log_params("error", "some"),
    ];
    assert_eq!(logs_since(&client, before), expected);
}

async fn modern_client_receives_logs_while_a_request_sets_a_level(kind: Kind) {
    let (first, second) = (Gate::closed(), Gate::closed());
    let gates = [first.clone(), second.clone()];
    let server = with_logging(kind.server())
        .tool("wait")
        .on_call(move |call| {
            let is_first = call.request.json()["params"]["arguments"]["nth"] == 0;
            let gate = gates[usize::from(!is_first)].clone();
            async move {
                gate.passed().await;
                br#"{"content":[]}"#.to_vec()
            }
        });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.tools().await;
    let before = client.received().len();
    let call = |nth: u64, level: &str| {
        let meta = json!({"io.modelcontextprotocol/logLevel": level});
        with_meta(json!({"name": "wait", "arguments": {"nth": nth}, "_meta": meta}))
    };
    let send_log = async |level: &str, data: &str| {
        let params = log_params(level, data);
        server.notify("notifications/message", &params).await;
    };
    send_log("emergency", "no request").await;
    wait_until_read(&server).await;
    let waiting = client.send_request("tools/call", call(0, "error")).await;
    server.wait_for_calls(1).await;
    send_log("warning", "too little").await;
    send_log("error", "enough").await;
    client.notification("notifications/message").await;
    let more = client.send_request("tools/call", call(1, "info")).await;
    server.wait_for_calls(2).await;
    send_log("debug", "too little").await;
    send_log("info", "enough now").await;
    client.notification("notifications/message").await;
    second.open();
    client.response(more).await;
    send_log("info", "too late").await;
    wait_until_read(&server).await;
    send_log("critical", "enough still").await;
    client.notification("notifications/message").await;
    first.open();
    client.response(waiting).await;
    send_log("emergency", "too late").await;
    wait_until_read(&server).await;
    let expected = [
        log_params("error", "enough"),
        log_params("info", "enough now"),
        log_params("critical", "enough still"),
    ];
    assert_eq!(logs_since(&client, before), expected);
}

#[tokio::test]
async fn suspended_call_receives_no_logs_until_its_retry() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let server = with_logging(upstream::legacy())
        .tool("ask")
        .on_call(move |call| {
            let gate = opened.clone();
            async move {
                let elicitation = r#"{"message":"?","requestedSchema":{"type":"object"}}"#;
                call.request(r#""q""#, "elicitation/create", elicitation)
                    .await;
                gate.passed().await;
                br#"{"content":[]}"#.to_vec()
            }
        });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let meta = json!({
        "io.modelcontextprotocol/logLevel": "info",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    });
    let mut params = json!({"name": "ask", "_meta": meta});
    let suspended = client.modern("tools/call", params.clone()).await;
    let result = &suspended["result"];
    assert_eq!(result["resultType"], "input_required", "{suspended}");
    let send_log = async |data: &str| {
        let params = log_params("error", data);
        server.notify("notifications/message", &params).await;
    };
    send_log("suspended").await;
    wait_until_read(&server).await;
    let key = result["inputRequests"].as_object().unwrap().keys().next();
    params["inputResponses"] = json!({key.unwrap(): {"action": "accept", "content": {}}});
    params["requestState"] = result["requestState"].clone();
    let id = client.send_request("tools/call", with_meta(params)).await;
    // The server has the response to its elicitation, so the call is in flight again.
    let answers = |request: &Request| request.id_bytes() == Some(br#""q""#.to_vec());
    server.raw.wait_for(answers).await;
    send_log("retried").await;
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "retried");
    gate.open();
    let answer = client.response(id).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    assert_eq!(logs_since(&client, 0).len(), 1);
}

#[tokio::test]
async fn log_sent_in_all_sessions_is_forwarded_once() {
    let mut main = Sessions::main(with_logging(upstream::legacy())).await;
    main.say(&log_notification(&log_params("info", "before")))
        .await;
    let mut both = main.and_another().await;
    both.say(&log_notification(&log_params("info", "in all")))
        .await;
    let expected = [log_params("info", "before"), log_params("info", "in all")];
    assert_eq!(logs_since(&both.client, 0), expected);
}
