//! Limits of concurrent and queued calls, of unread responses, and of logs.

mod logs;
#[cfg(target_os = "linux")]
mod response_memory;

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Upstream};

/// The code of the error for too many calls.
const BUSY: i64 = -31008;

async fn start_held(gate: &Gate) -> Upstream {
    upstream::legacy().tool("work").held_by(gate).start().await
}

async fn send_calls(client: &mut Client, name: &str, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(client.send_call(name, json!({})).await);
    }
    ids
}

/// Starts a server that sends an elicitation request during a call of `ask`.
async fn start_eliciting() -> Upstream {
    let server = upstream::legacy().tool("ask").tool("work");
    let server = server.on_call(|call| async move {
        if call.request.tool() == "ask" {
            let form = r#"{"message":"?","requestedSchema":{"type":"object"}}"#;
            call.request("1", "elicitation/create", form).await;
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
async fn calls_over_the_limit_of_an_upstream_are_queued() {
    let (gate, free) = (
        Gate::closed(),
        upstream::legacy().tool("other").start().await,
    );
    let server = start_held(&gate).await;
    let builder = proxy::new().upstream("a", &server).upstream("b", &free);
    let builder = builder.extra("a", json!({"max_calls": 2}));
    let mut client = builder.env("DEBUG", "1").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work", "other"]).await;
    let ids = send_calls(&mut client, "work", 5).await;
    server.wait_for_calls(2).await;
    // Another upstream has its own limit. Its response shows that the proxy has read the five calls.
    let answer = client.call("other", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.calls().len(), 2);
    gate.open();
    assert_have_results(&mut client, ids).await;
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn calls_over_the_queue_limit_are_rejected_as_not_run() {
    let gate = Gate::closed();
    let server = start_held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let builder = builder
        .env("PROXY_UPSTREAM_CALLS", "1")
        .env("PROXY_QUEUED_CALLS", "1");
    let mut client = builder.start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    server.wait_for_calls(1).await;
    let rejected = client.call("work", json!({})).await;
    assert_is_busy(&rejected, "max_calls");
    assert_eq!(rejected["error"]["data"]["upstream"], "a");
    // Cancelling a queued call frees its slot.
    let cancelled = json!({"requestId": ids[1]});
    client.notify("notifications/cancelled", cancelled).await;
    let third = client.send_call("work", json!({})).await;
    let rejected = client.call("work", json!({})).await;
    assert_is_busy(&rejected, "max_calls");
    gate.open();
    assert_have_results(&mut client, [ids[0], third]).await;
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn requests_over_the_total_limit_are_rejected() {
    let gate = Gate::closed();
    let server = start_held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_MAX_CALLS", "2").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    let rejected = client.call("work", json!({})).await;
    assert_is_busy(&rejected, "PROXY_MAX_CALLS");
    // The proxy answers a ping itself, so the limit does not apply.
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
async fn suspended_call_releases_its_concurrency_permit() {
    let server = start_eliciting().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.declare(json!({"elicitation": {}}));
    client.wait_for_tools(&["ask", "work"]).await;
    let suspended = client
        .request_in_era("tools/call", json!({"name": "ask", "arguments": {}}))
        .await;
    assert_eq!(
        suspended["result"]["resultType"], "input_required",
        "{suspended}"
    );
    let answer = client
        .request_in_era("tools/call", json!({"name": "work", "arguments": {}}))
        .await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
}

#[tokio::test]
async fn call_made_to_answer_a_server_request_is_not_queued() {
    let server = start_eliciting().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.initialize_with(json!({"elicitation": {}})).await;
    client.wait_for_tools(&["ask", "work"]).await;
    let call = client.send_call("ask", json!({})).await;
    let server_request = client.incoming_request("elicitation/create").await;
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    client
        .respond(&server_request, json!({"action": "decline"}))
        .await;
    let answer = client.response(call).await;
    assert!(answer["result"].is_object(), "{answer}");
}
