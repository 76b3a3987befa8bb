//! Equal ids and equal progress tokens at the same time.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::upstream::{Kind, Upstream};

use super::harness::{Era, Shared};

per_pair! {
    equal_ids_in_flight_are_answered_each_to_its_client
    progress_of_equal_tokens_reaches_its_own_client
    a_cancellation_leaves_an_equal_id_of_the_other_alone
}

const PROGRESS: &str = "notifications/progress";

/// A server whose tool `wait` says progress and, once the gate is open, for whom it was.
async fn server(kind: Kind, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    let server = kind.server().tool("wait").on_call(move |call| {
        let gate = gate.clone();
        async move {
            let mut arguments = call.request.json()["params"]["arguments"].take();
            call.progress(arguments["step"].as_u64().unwrap()).await;
            gate.passed().await;
            let received = arguments["for"].take();
            let result = json!({"content": [], "resultType": "complete", "for": received});
            result.to_string().into_bytes()
        }
    });
    server.start().await
}

/// The parameters of a call of `wait`.
fn wait(name: &str, step: u64) -> Value {
    json!({
        "name": "wait",
        "arguments": {"for": name, "step": step},
        "_meta": {"progressToken": "token"},
    })
}

async fn equal_ids_in_flight_are_answered_each_to_its_client(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    for id in ["7", "\"mcp-manifold-1\"", "-1.50"] {
        gate.close();
        let before = server.calls().len();
        a.begin(id, "tools/call", wait("a", 1)).await;
        b.begin(id, "tools/call", wait("b", 2)).await;
        server.wait_for_calls(before + 2).await;
        gate.open();
        assert_eq!(b.end(id).await["result"]["for"], "b");
        assert_eq!(a.end(id).await["result"]["for"], "a");
    }
}

async fn progress_of_equal_tokens_reaches_its_own_client(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    a.begin("7", "tools/call", wait("a", 1)).await;
    b.begin("7", "tools/call", wait("b", 2)).await;
    let expected = |step: u64| json!({"progressToken": "token", "progress": step});
    assert_eq!(b.notification(PROGRESS).await["params"], expected(2));
    assert_eq!(a.notification(PROGRESS).await["params"], expected(1));
    gate.open();
    a.end("7").await;
    b.end("7").await;
    for peer in [&mut a, &mut b] {
        peer.fence().await;
        assert_eq!(peer.received_with(PROGRESS).len(), 1);
    }
}

async fn a_cancellation_leaves_an_equal_id_of_the_other_alone(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = server(kind, &gate).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    a.begin("7", "tools/call", wait("a", 1)).await;
    a.notification(PROGRESS).await;
    b.begin("7", "tools/call", wait("b", 2)).await;
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
    assert_eq!(b.end("7").await["result"]["for"], "b");
    a.fence().await;
    a.assert_unanswered("7");
    assert_eq!(server.cancelled().len(), 1);
}
