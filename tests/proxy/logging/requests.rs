//! Modern clients set a log level in each request.

use serde_json::{Value, json};

use super::*;
use testkit::gate::Gate;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

// Legacy upstreams receive `logging/setLevel`.
testkit::per_kind! {
    [legacy http_sse]
    request_receives_logs_from_its_level_and_none_without_one
    log_level_of_a_legacy_upstream_is_raised_before_the_call
    request_with_unknown_level_does_not_run_at_a_legacy_upstream
}

async fn request_receives_logs_from_its_level_and_none_without_one(kind: Kind) {
    let server = with_talk_tool(kind.server()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in LEVELS {
        let before = client.received().len();
        let answer = call_with_level(&mut client, "talk", level).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!(logs_since(&client, before), logs_from(level));
        // The logs precede the response.
        let last: Value = serde_json::from_slice(client.received().last().unwrap()).unwrap();
        assert_eq!(last, answer);

        let before = client.received().len();
        client.call("talk", json!({})).await;
        assert!(logs_since(&client, before).is_empty());
    }
}

async fn log_level_of_a_legacy_upstream_is_raised_before_the_call(kind: Kind) {
    let server = with_talk_tool(kind.server()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in ["error", "critical", "info", "debug", "info"] {
        call_with_level(&mut client, "talk", level).await;
    }
    let is_relevant = |request: &Request| sets_level(request) || request.is("tools/call");
    let mut requests = server.raw.requests();
    requests.retain(is_relevant);
    let levels_set = |request: &Request| match sets_level(request) {
        true => request.json()["params"]["level"].to_string(),
        false => "call".to_owned(),
    };
    let order: Vec<_> = requests.iter().map(levels_set).collect();
    let expected = [
        r#""error""#,
        "call",
        "call",
        r#""info""#,
        "call",
        r#""debug""#,
        "call",
        "call",
    ];
    assert_eq!(order, expected);
}

#[tokio::test]
async fn most_verbose_level_of_calls_in_flight_is_applied() {
    let gate = Gate::closed();
    let server = with_logging(upstream::legacy()).tool("wait").held_by(&gate);
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    let mut calls = Vec::new();
    for (count, level) in ["error", "info", "alert"].into_iter().enumerate() {
        calls.push(send_call_with_level(&mut client, "wait", level).await);
        server.wait_for_calls(count + 1).await;
    }
    assert_eq!(levels_set(&server), ["error", "info"]);
    // The session's level is less verbose, but the calls in flight still need `info`.
    set_level(&mut client, "emergency").await;
    assert_eq!(levels_set(&server), ["error", "info", "info"]);
    gate.open();
    for id in calls {
        client.response(id).await;
    }
    // No call needs a more verbose level now.
    set_level(&mut client, "emergency").await;
    assert_eq!(levels_set(&server), ["error", "info", "info", "emergency"]);
}

#[tokio::test]
async fn session_receives_no_logs_below_its_own_level() {
    let server = with_talk_tool(upstream::legacy()).start().await;
    let mut client = proxy::before(&server).await;
    set_level(&mut client, "error").await;
    call_with_level(&mut client, "talk", "debug").await;
    assert_eq!(levels_set(&server).last().unwrap(), "debug");
    let before = client.received().len();
    client.call("talk", json!({})).await;
    assert_eq!(logs_since(&client, before), logs_from("error"));
}

async fn request_with_unknown_level_does_not_run_at_a_legacy_upstream(kind: Kind) {
    let server = with_talk_tool(kind.server()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in [
        json!("loud"),
        json!(""),
        json!("Info"),
        json!(1),
        Value::Null,
    ] {
        let meta = json!({"io.modelcontextprotocol/logLevel": level});
        let params = json!({"name": "talk", "_meta": meta});
        let answer = client.modern("tools/call", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{level}: {answer}");
    }
    assert!(server.calls().is_empty() && levels_set(&server).is_empty());
}

#[tokio::test]
async fn logs_between_modern_peers_are_forwarded_unchanged() {
    let server = with_talk_tool(upstream::modern()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in ["warning", "loud"] {
        let before = client.received().len();
        let answer = call_with_level(&mut client, "talk", level).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!(logs_since(&client, before), logs_from("debug"));
        let call = String::from_utf8(server.calls().pop().unwrap()).unwrap();
        let level = format!(r#""io.modelcontextprotocol/logLevel":"{level}""#);
        assert!(call.contains(&level), "{call}");
    }
}

#[tokio::test]
async fn upstream_without_logging_gets_no_level_and_its_logs_pass() {
    let server = with_talk_tool(upstream::legacy()).capabilities(r#"{"tools":{}}"#);
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let before = client.received().len();
    call_with_level(&mut client, "talk", "critical").await;
    assert_eq!(logs_since(&client, before), logs_from("critical"));
    assert!(levels_set(&server).is_empty());
}

#[tokio::test]
async fn level_is_applied_again_in_a_new_session() {
    let server = with_talk_tool(upstream::legacy()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    call_with_level(&mut client, "talk", "debug").await;
    server.expire_sessions();
    call_with_level(&mut client, "talk", "info").await;
    // The proxy may notice the expired session only in the call, so `debug` may be sent twice.
    let levels_set = levels_set(&server);
    assert_eq!(
        (levels_set.first(), levels_set.last()),
        (Some(&"debug".to_owned()), Some(&"info".to_owned()))
    );
}
