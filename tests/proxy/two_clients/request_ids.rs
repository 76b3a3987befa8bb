//! Equal request ids and equal progress tokens of two clients at the same time.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::upstream::{Builder, Kind, Upstream};

use super::harness::{Era, EraClient, SharedProxy};

per_pair! {
    responses_to_equal_ids_reach_their_own_clients
    progress_of_equal_tokens_reaches_its_own_client
    cancellation_spares_the_equal_id_of_the_other_client
}

testkit::per_kind! {
    equal_ids_and_tokens_of_legacy_clients_stay_separate
    equal_ids_and_tokens_of_modern_clients_stay_separate
}

const PROGRESS: &str = "notifications/progress";

/// A server whose tool `wait` reports progress and, once the gate is open, returns the name in its arguments.
async fn server(kind: Kind, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    let server = kind.server().tool("wait").on_call(move |call| {
        let gate = gate.clone();
        async move {
            let mut arguments = call.request.json()["params"]["arguments"].take();
            call.progress(arguments["step"].as_u64().unwrap()).await;
            gate.passed().await;
            let name = arguments["client"].take();
            let result = json!({"content": [], "resultType": "complete", "client": name});
            result.to_string().into_bytes()
        }
    });
    server.start().await
}

/// The parameters of a call of `wait`.
fn wait(name: &str, step: u64) -> Value {
    json!({
        "name": "wait",
        "arguments": {"client": name, "step": step},
        "_meta": {"progressToken": "token"},
    })
}

async fn responses_to_equal_ids_reach_their_own_clients(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    for id in ["7", "\"mcp-manifold-1\"", "-1.50"] {
        gate.close();
        let before = server.calls().len();
        a.start_request(id, "tools/call", wait("a", 1)).await;
        b.start_request(id, "tools/call", wait("b", 2)).await;
        server.wait_for_calls(before + 2).await;
        gate.open();
        assert_eq!(b.response_to(id).await["result"]["client"], "b");
        assert_eq!(a.response_to(id).await["result"]["client"], "a");
    }
}

async fn progress_of_equal_tokens_reaches_its_own_client(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    a.start_request("7", "tools/call", wait("a", 1)).await;
    b.start_request("7", "tools/call", wait("b", 2)).await;
    let expected = |step: u64| json!({"progressToken": "token", "progress": step});
    assert_eq!(b.notification(PROGRESS).await["params"], expected(2));
    assert_eq!(a.notification(PROGRESS).await["params"], expected(1));
    gate.open();
    a.response_to("7").await;
    b.response_to("7").await;
    for peer in [&mut a, &mut b] {
        peer.barrier().await;
        assert_eq!(peer.received_with(PROGRESS).len(), 1);
    }
}

async fn cancellation_spares_the_equal_id_of_the_other_client(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    a.start_request("7", "tools/call", wait("a", 1)).await;
    a.notification(PROGRESS).await;
    b.start_request("7", "tools/call", wait("b", 2)).await;
    b.notification(PROGRESS).await;
    a.notify("notifications/cancelled", json!({"requestId": 7}))
        .await;
    let cancelled: Value = serde_json::from_slice(&server.wait_for_cancelled().await).unwrap();
    let calls = server.calls();
    let call: Value = serde_json::from_slice(&calls[0]).unwrap();
    match kind {
        Kind::Modern => assert_eq!(cancelled["id"], call["id"]),
        _ => assert_eq!(cancelled["params"]["requestId"], call["id"]),
    }
    gate.open();
    assert_eq!(b.response_to("7").await["result"]["client"], "b");
    a.barrier().await;
    a.assert_unanswered("7");
    assert_eq!(server.cancelled().len(), 1);
}

/// A server whose tool `wait`, once the gate is open, reports three steps of progress and returns the first.
fn server_with_progress(kind: Kind, gate: &Gate) -> Builder {
    let gate = gate.clone();
    kind.server().tool("wait").on_call(move |call| {
        let gate = gate.clone();
        async move {
            gate.passed().await;
            let arguments = call.request.json()["params"]["arguments"].take();
            let first = arguments["from"].as_u64().unwrap();
            for progress in first..first + 3 {
                call.progress(progress).await;
            }
            let text = arguments["from"].to_string();
            json!({"content": [{"type": "text", "text": text}]})
                .to_string()
                .into_bytes()
        }
    })
}

/// Panics unless the client received the response and the progress of its own call, and no other.
async fn assert_own(client: &mut EraClient, from: u64, token: &Value) {
    let answer = client.response_to("1").await;
    assert_eq!(answer["result"]["content"][0]["text"], from.to_string());
    let progress = client.take_messages("notifications/progress").await;
    let params: Vec<_> = progress.iter().map(|it| it["params"].clone()).collect();
    let expected = [0, 1, 2].map(|more| json!({"progressToken": token, "progress": from + more}));
    assert_eq!(params, expected);
}

async fn equal_ids_and_tokens_of_legacy_clients_stay_separate(kind: Kind) {
    let gate = Gate::closed();
    let server = server_with_progress(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = [
        (10, proxy.connect_legacy(json!({})).await),
        (20, proxy.connect_legacy(json!({})).await),
    ];
    for (from, client) in &mut clients {
        client.start_call("1", "wait", json!({"from": from})).await;
    }
    server.wait_for_calls(2).await;
    gate.open();
    for (from, client) in &mut clients {
        assert_own(client, *from, &json!(1)).await;
    }
}

async fn equal_ids_and_tokens_of_modern_clients_stay_separate(kind: Kind) {
    let gate = Gate::closed();
    let server = server_with_progress(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let [one, two] = proxy.connect_two([Era::Modern; 2]).await;
    let mut clients = [(10, one), (20, two)];
    for (from, client) in &mut clients {
        let meta = json!({"progressToken": "t"});
        let params = json!({"name": "wait", "arguments": {"from": from}, "_meta": meta});
        client.start_request("1", "tools/call", params).await;
    }
    server.wait_for_calls(2).await;
    gate.open();
    for (from, client) in &mut clients {
        assert_own(client, *from, &json!("t")).await;
    }
}
