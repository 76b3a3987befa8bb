//! Logs that a legacy upstream says on the stream of the server, beside its answers.

use serde_json::json;

use super::*;
use testkit::gate::Gate;
use testkit::proxy::with_meta;
use testkit::sessions::Sessions;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

// Those that are told a level.
testkit::per_kind! {
    [legacy http_sse]
    a_session_hears_what_its_level_lets_through
    a_modern_client_hears_them_as_long_as_a_request_wants_them
}

fn text(level: &str, data: &str) -> String {
    format!(r#"{{"data":"{data}","level":"{level}"}}"#)
}

/// Waits until the proxy has heard all that was said on the server's stream: of what is said next
/// it shows that it was heard.
async fn all_heard(server: &Upstream) {
    let lists = |request: &Request| request.rpc_method() == "tools/list";
    let so_far = server.raw.requests().into_iter().filter(lists).count();
    server.list_changed().await;
    server.raw.wait_for_count(so_far + 1, lists).await;
}

async fn a_session_hears_what_its_level_lets_through(kind: Kind) {
    let server = silent(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let before = client.received().len();
    let say = |level: &'static str, data: &'static str| {
        let server = &server;
        async move {
            let params = text(level, data);
            server.notify("notifications/message", &params).await;
        }
    };
    say("debug", "all").await;
    client.notification("notifications/message").await;
    set_level(&mut client, "warning").await;
    for level in ["notice", "loud", "warning", "info", "error"] {
        say(level, "some").await;
    }
    for _ in 0..3 {
        client.notification("notifications/message").await;
    }
    let expected = [
        text("debug", "all"),
        text("loud", "some"),
        text("warning", "some"),
        text("error", "some"),
    ];
    assert_eq!(logs_since(&client, before), expected);
}

async fn a_modern_client_hears_them_as_long_as_a_request_wants_them(kind: Kind) {
    let (first, second) = (Gate::closed(), Gate::closed());
    let gates = [first.clone(), second.clone()];
    let server = silent(kind.server()).tool("wait").on_call(move |call| {
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
    let say = async |level: &str, data: &str| {
        let params = text(level, data);
        server.notify("notifications/message", &params).await;
    };
    say("emergency", "nobody asked").await;
    all_heard(&server).await;
    let waiting = client.send_request("tools/call", call(0, "error")).await;
    server.wait_for_calls(1).await;
    say("warning", "too little").await;
    say("error", "enough").await;
    client.notification("notifications/message").await;
    let more = client.send_request("tools/call", call(1, "info")).await;
    server.wait_for_calls(2).await;
    say("debug", "too little").await;
    say("info", "enough now").await;
    client.notification("notifications/message").await;
    second.open();
    client.response(more).await;
    say("info", "too late").await;
    all_heard(&server).await;
    say("critical", "enough still").await;
    client.notification("notifications/message").await;
    first.open();
    client.response(waiting).await;
    say("emergency", "too late").await;
    all_heard(&server).await;
    let expected = [
        text("error", "enough"),
        text("info", "enough now"),
        text("critical", "enough still"),
    ];
    assert_eq!(logs_since(&client, before), expected);
}

#[tokio::test]
async fn a_parked_call_wants_none_until_its_client_is_back() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let server = silent(upstream::legacy()).tool("ask").on_call(move |call| {
        let gate = opened.clone();
        async move {
            let question = r#"{"message":"?","requestedSchema":{"type":"object"}}"#;
            call.request(r#""q""#, "elicitation/create", question).await;
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
    let parked = client.modern("tools/call", params.clone()).await;
    let result = &parked["result"];
    assert_eq!(result["resultType"], "input_required", "{parked}");
    let say = async |data: &str| {
        let params = text("error", data);
        server.notify("notifications/message", &params).await;
    };
    say("parked").await;
    all_heard(&server).await;
    let key = result["inputRequests"].as_object().unwrap().keys().next();
    params["inputResponses"] = json!({key.unwrap(): {"action": "accept", "content": {}}});
    params["requestState"] = result["requestState"].clone();
    let id = client.send_request("tools/call", with_meta(params)).await;
    // The answer to its question has reached it, so the call is under way again.
    let answers = |request: &Request| request.id_bytes() == Some(br#""q""#.to_vec());
    server.raw.wait_for(answers).await;
    say("back").await;
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "back");
    gate.open();
    let answer = client.response(id).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    assert_eq!(logs_since(&client, 0).len(), 1);
}

#[tokio::test]
async fn a_log_that_is_said_in_all_sessions_is_heard_once() {
    let mut main = Sessions::main(silent(upstream::legacy())).await;
    main.say(&log(&text("info", "before"))).await;
    let mut both = main.and_another().await;
    both.say(&log(&text("info", "in all"))).await;
    let expected = [text("info", "before"), text("info", "in all")];
    assert_eq!(logs_since(&both.client, 0), expected);
}
