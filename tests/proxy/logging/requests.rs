//! A modern client: a level with each request whose logs it wants.

use serde_json::{Value, json};

use super::*;
use testkit::gate::Gate;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

// Those that are told a level.
testkit::per_kind! {
    [legacy http_sse]
    a_request_hears_logs_from_its_level_on_and_none_without_one
    log_level_of_a_legacy_upstream_is_raised_before_the_call
    request_with_unknown_level_does_not_run_at_a_legacy_upstream
}

async fn a_request_hears_logs_from_its_level_on_and_none_without_one(kind: Kind) {
    let server = logging(kind.server()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in LEVELS {
        let before = client.received().len();
        let answer = call_at(&mut client, "talk", level).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!(logs_since(&client, before), heard_from(level));
        // They come before the answer.
        let last: Value = serde_json::from_slice(client.received().last().unwrap()).unwrap();
        assert_eq!(last, answer);

        let before = client.received().len();
        client.call("talk", json!({})).await;
        assert!(logs_since(&client, before).is_empty());
    }
}

async fn log_level_of_a_legacy_upstream_is_raised_before_the_call(kind: Kind) {
    let server = logging(kind.server()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in ["error", "critical", "info", "debug", "info"] {
        call_at(&mut client, "talk", level).await;
    }
    let of_interest = |request: &Request| sets_level(request) || request.is("tools/call");
    let mut requests = server.raw.requests();
    requests.retain(of_interest);
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
async fn the_most_verbose_of_those_under_way_counts() {
    let gate = Gate::closed();
    let server = silent(upstream::legacy()).tool("wait").held_by(&gate);
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    let mut under_way = Vec::new();
    for (count, level) in ["error", "info", "alert"].into_iter().enumerate() {
        under_way.push(begin_at(&mut client, "wait", level).await);
        server.wait_for_calls(count + 1).await;
    }
    assert_eq!(levels_set(&server), ["error", "info"]);
    // The session wants less, and is given less, but the upstream goes on for the others.
    set_level(&mut client, "emergency").await;
    assert_eq!(levels_set(&server), ["error", "info", "info"]);
    gate.open();
    for id in under_way {
        client.response(id).await;
    }
    // Now nobody else needs it.
    set_level(&mut client, "emergency").await;
    assert_eq!(levels_set(&server), ["error", "info", "info", "emergency"]);
}

#[tokio::test]
async fn a_session_beside_hears_no_more_than_it_wants() {
    let server = logging(upstream::legacy()).start().await;
    let mut client = proxy::before(&server).await;
    set_level(&mut client, "error").await;
    call_at(&mut client, "talk", "debug").await;
    assert_eq!(levels_set(&server).last().unwrap(), "debug");
    let before = client.received().len();
    client.call("talk", json!({})).await;
    assert_eq!(logs_since(&client, before), heard_from("error"));
}

async fn request_with_unknown_level_does_not_run_at_a_legacy_upstream(kind: Kind) {
    let server = logging(kind.server()).start().await;
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
async fn between_modern_peers_everything_passes_as_it_is() {
    let server = logging(upstream::modern()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for level in ["warning", "loud"] {
        let before = client.received().len();
        let answer = call_at(&mut client, "talk", level).await;
        assert!(answer["result"].is_object(), "{answer}");
        assert_eq!(logs_since(&client, before), heard_from("debug"));
        let call = String::from_utf8(server.calls().pop().unwrap()).unwrap();
        let level = format!(r#""io.modelcontextprotocol/logLevel":"{level}""#);
        assert!(call.contains(&level), "{call}");
    }
}

#[tokio::test]
async fn upstream_without_logging_gets_no_level_and_its_logs_pass() {
    let server = logging(upstream::legacy()).capabilities(r#"{"tools":{}}"#);
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let before = client.received().len();
    call_at(&mut client, "talk", "critical").await;
    assert_eq!(logs_since(&client, before), heard_from("critical"));
    assert!(levels_set(&server).is_empty());
}

#[tokio::test]
async fn a_level_is_raised_again_in_a_new_session() {
    let server = logging(upstream::legacy()).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    call_at(&mut client, "talk", "debug").await;
    server.expire_sessions();
    call_at(&mut client, "talk", "info").await;
    // The call may be what found out that the session was gone.
    let levels_set = levels_set(&server);
    assert_eq!(
        (levels_set.first(), levels_set.last()),
        (Some(&"debug".to_owned()), Some(&"info".to_owned()))
    );
}
