//! Bounds of what is held: calls under way and calls that wait, answers for a slow client, and logs.

#[cfg(target_os = "linux")]
mod answers;
mod logs;

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Upstream};

/// The code of the error for too many calls.
const BUSY: i64 = -31008;

async fn held(gate: &Gate) -> Upstream {
    upstream::legacy().tool("work").held_by(gate).start().await
}

async fn send_calls(client: &mut Client, name: &str, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(client.send_call(name, json!({})).await);
    }
    ids
}

/// A server that asks the client something in the middle of a call of `ask`.
async fn asking() -> Upstream {
    let server = upstream::legacy().tool("ask").tool("work");
    let server = server.on_call(|call| async move {
        if call.request.tool() == "ask" {
            let form = r#"{"message":"?","requestedSchema":{"type":"object"}}"#;
            call.ask("1", "elicitation/create", form).await;
        }
        br#"{"content":[]}"#.to_vec()
    });
    server.start().await
}

async fn assert_have_results(client: &mut Client, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
}

fn assert_is_busy(answer: &Value, hint: &str) {
    let error = &answer["error"];
    assert_eq!(error["code"], BUSY, "{answer}");
    assert_eq!(error["data"]["outcome"], "not run", "{answer}");
    assert!(
        error["message"].as_str().unwrap().contains(hint),
        "{answer}"
    );
}

#[tokio::test]
async fn calls_over_the_bound_of_an_upstream_wait_for_their_turn() {
    let (gate, free) = (
        Gate::closed(),
        upstream::legacy().tool("other").start().await,
    );
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server).upstream("b", &free);
    let builder = builder.extra("a", json!({"max_calls": 2}));
    let mut client = builder.env("DEBUG", "1").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work", "other"]).await;
    let ids = send_calls(&mut client, "work", 5).await;
    server.wait_for_calls(2).await;
    // Another upstream has turns of its own, and its answer shows that the five were taken up.
    let answer = client.call("other", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.calls().len(), 2);
    gate.open();
    assert_have_results(&mut client, ids).await;
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn calls_over_the_queue_limit_are_refused_as_not_run() {
    let gate = Gate::closed();
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let builder = builder
        .env("PROXY_UPSTREAM_CALLS", "1")
        .env("PROXY_QUEUED_CALLS", "1");
    let mut client = builder.start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    server.wait_for_calls(1).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "max_calls");
    assert_eq!(refused["error"]["data"]["upstream"], "a");
    // One that is cancelled while it waits leaves its place to another.
    let cancelled = json!({"requestId": ids[1]});
    client.notify("notifications/cancelled", cancelled).await;
    let third = client.send_call("work", json!({})).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "max_calls");
    gate.open();
    assert_have_results(&mut client, [ids[0], third]).await;
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn requests_over_the_total_limit_are_refused_and_later_ones_not() {
    let gate = Gate::closed();
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_MAX_CALLS", "2").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "PROXY_MAX_CALLS");
    // What we answer ourselves needs no place.
    let pong = client.request("ping", json!({})).await;
    assert!(pong["result"].is_object(), "{pong}");
    gate.open();
    for id in ids {
        client.response(id).await;
    }
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_call_that_waits_for_its_client_leaves_its_turn_to_others() {
    let server = asking().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.declare(json!({"elicitation": {}}));
    client.wait_for_tools(&["ask", "work"]).await;
    let parked = client
        .ask("tools/call", json!({"name": "ask", "arguments": {}}))
        .await;
    assert_eq!(parked["result"]["resultType"], "input_required", "{parked}");
    let answer = client
        .ask("tools/call", json!({"name": "work", "arguments": {}}))
        .await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
}

#[tokio::test]
async fn what_a_client_calls_to_answer_a_call_does_not_wait_for_that() {
    let server = asking().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.initialize_with(json!({"elicitation": {}})).await;
    client.wait_for_tools(&["ask", "work"]).await;
    let asking = client.send_call("ask", json!({})).await;
    let asked = client.incoming_request("elicitation/create").await;
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    client.respond(&asked, json!({"action": "decline"})).await;
    let answer = client.response(asking).await;
    assert!(answer["result"].is_object(), "{answer}");
}
