//! Legacy clients set one log level for the session with `logging/setLevel`.

use serde_json::{Value, json};

use super::*;
use testkit::gate::Gate;
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

// Legacy upstreams receive `logging/setLevel`.
testkit::per_kind! {
    [legacy http_sse]
    late_upstream_receives_the_level_before_its_first_call
    level_is_set_in_a_new_session_before_any_call
}

testkit::per_kind! {
    session_receives_logs_from_its_level_on
}

#[tokio::test]
async fn session_level_reaches_every_legacy_upstream_that_logs() {
    let legacy = with_talk_tool(upstream::legacy()).start().await;
    let http_sse = with_talk_tool(upstream::http_sse()).start().await;
    let modern = with_talk_tool(upstream::modern()).start().await;
    let without_logging = upstream::legacy().tool("a").start().await;
    let mut client = proxy::new()
        .upstream("a", &legacy)
        .upstream("b", &http_sse)
        .upstream("c", &modern)
        .upstream("d", &without_logging)
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tool_names().await.len(), 4);
    for level in ["warning", "debug", "emergency"] {
        set_level(&mut client, level).await;
    }
    for server in [&legacy, &http_sse] {
        assert_eq!(levels_set(server), ["warning", "debug", "emergency"]);
    }
    for server in [&modern, &without_logging] {
        assert!(levels_set(server).is_empty());
    }
}

async fn late_upstream_receives_the_level_before_its_first_call(kind: Kind) {
    let gate = Gate::closed();
    let server = with_talk_tool(kind.server()).holding(&gate, |request| request.is("initialize"));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    // No upstream is connected, so the response does not wait.
    set_level(&mut client, "error").await;
    gate.open();
    let before = client.received().len();
    client.call("talk", json!({})).await;
    assert_eq!(logs_since(&client, before), logs_from("error"));
    let is_relevant = |request: &Request| sets_level(request) || request.is("tools/call");
    let mut requests = server.raw.requests();
    requests.retain(is_relevant);
    let methods: Vec<_> = requests.iter().map(Request::rpc_method).collect();
    assert_eq!(methods, ["logging/setLevel", "tools/call"]);
}

#[tokio::test]
async fn set_level_response_waits_for_the_upstreams() {
    let gate = Gate::closed();
    let server = with_talk_tool(upstream::legacy()).holding(&gate, sets_level);
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let before = client.received().len();
    let params = json!({"level": "info"});
    let id = client.send_request("logging/setLevel", params).await;
    server.raw.wait_for(sets_level).await;
    client.request("ping", json!({})).await;
    assert_eq!(client.received().len(), before + 1);
    gate.open();
    assert_eq!(client.response(id).await["result"], json!({}));
}

#[tokio::test]
async fn unresponsive_upstream_delays_set_level_for_a_while_only() {
    let server = with_talk_tool(upstream::legacy());
    let server = server.intercept(|request| sets_level(request).then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    set_level(&mut client, "info").await;
    let answer = client.call("talk", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    client.wait_for_stderr("cannot set the log level").await;
}

#[tokio::test]
async fn level_rejected_by_an_upstream_is_logged_and_no_error() {
    let server = with_talk_tool(upstream::legacy()).answers("logging/setLevel", |request| {
        let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
        let error = r#"{"code":-32603,"message":"not today"}"#;
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    set_level(&mut client, "notice").await;
    client.wait_for_stderr("not today").await;
    let before = client.received().len();
    client.call("talk", json!({})).await;
    assert_eq!(logs_since(&client, before), logs_from("notice"));
    assert_eq!(levels_set(&server), ["notice"]);
}

#[tokio::test]
async fn unknown_level_is_rejected_and_not_forwarded() {
    let server = with_talk_tool(upstream::legacy()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    for level in [
        json!("loud"),
        json!(""),
        json!("INFO"),
        json!(5),
        Value::Null,
    ] {
        let params = json!({"level": level});
        let answer = client.request("logging/setLevel", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{level}: {answer}");
    }
    let answer = client.request("logging/setLevel", json!({})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    set_level(&mut client, "info").await;
    assert_eq!(levels_set(&server), ["info"]);
}

async fn session_receives_logs_from_its_level_on(kind: Kind) {
    let server = with_talk_tool(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    let before = client.received().len();
    client.call("talk", json!({})).await;
    assert_eq!(logs_since(&client, before), logs_from("debug"));
    for level in LEVELS {
        set_level(&mut client, level).await;
        let before = client.received().len();
        client.call("talk", json!({})).await;
        assert_eq!(logs_since(&client, before), logs_from(level));
    }
}

async fn level_is_set_in_a_new_session_before_any_call(kind: Kind) {
    let server = with_talk_tool(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    set_level(&mut client, "alert").await;
    server.expire_sessions();
    let answer = client.call("talk", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    let requests = server.raw.requests();
    let handshake = requests.iter().rposition(|it| it.is("initialize")).unwrap();
    let later = requests[handshake..].iter();
    let later = later.filter(|it| sets_level(it) || it.is("tools/call"));
    let methods: Vec<_> = later.map(Request::rpc_method).collect();
    assert_eq!(methods, ["logging/setLevel", "tools/call"]);
    assert_eq!(levels_set(&server), ["alert", "alert"]);
}

#[tokio::test]
async fn extra_sessions_receive_the_level_too() {
    let server = with_talk_tool(upstream::legacy()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize_with(json!({"roots": {}})).await;
    client.tools().await;
    set_level(&mut client, "error").await;
    // Other capabilities need an extra session.
    client.declare(json!({}));
    let call = json!({"name": "talk"});
    let answer = client.modern("tools/call", call).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(levels_set(&server), ["error", "error"]);
    set_level(&mut client, "info").await;
    assert_eq!(levels_set(&server), ["error", "error", "info", "info"]);
    let mut requests = server.raw.requests();
    requests.retain(sets_level);
    let session = |nth: usize| requests[nth].header("mcp-session-id").unwrap().to_owned();
    assert_ne!(session(0), session(1));
    assert_ne!(session(2), session(3));
}

#[tokio::test]
async fn modern_upstream_receives_the_level_in_every_request() {
    const KEY: &str = "io.modelcontextprotocol/logLevel";
    let server = with_talk_tool(upstream::modern()).start().await;
    let mut client = proxy::before(&server).await;
    let bare = json!({"name": "talk"});
    let full = json!({"name": "talk", "_meta": {"vendor": 1}});
    let expected = [Value::Null, json!("warning"), json!("info"), Value::Null];
    let mut count = 0;
    for level in &expected {
        match level.as_str() {
            Some(level) => set_level(&mut client, level).await,
            // A new session starts without a level.
            None => drop(client.initialize().await),
        }
        for params in [&bare, &full] {
            client.request("tools/call", params.clone()).await;
            count += 1;
            let call = server.wait_for_calls(count).await.pop().unwrap();
            let call: Value = serde_json::from_slice(&call).unwrap();
            let meta = &call["params"]["_meta"];
            assert_eq!(meta[KEY], *level, "{call}");
            assert_eq!(meta["vendor"], params["_meta"]["vendor"], "{call}");
        }
    }
}
