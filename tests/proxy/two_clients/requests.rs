//! Requests of the same id, with the same progress token, at the same server.

use serde_json::{Value, json};

use super::harness::{Era, Peer, Shared};
use testkit::gate::Gate;
use testkit::upstream::{Builder, Kind};

testkit::per_kind! {
    [legacy http_sse]
    sessions_of_two_profiles_live_side_by_side
}

testkit::per_kind! {
    equal_ids_and_tokens_of_two_clients_stay_apart
    equal_ids_of_two_modern_clients_stay_apart
}

/// A server whose tool `wait` reports progress and answers when the gate is open, with its arguments.
fn waiting(kind: Kind, gate: &Gate) -> Builder {
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

/// The client gets the answer and the progress of its own call, under its token, and no other.
async fn assert_own(client: &mut Peer, from: u64, token: &Value) {
    let answer = client.end("1").await;
    assert_eq!(answer["result"]["content"][0]["text"], from.to_string());
    let progress = client.all("notifications/progress").await;
    let params: Vec<_> = progress.iter().map(|it| it["params"].clone()).collect();
    let expected = [0, 1, 2].map(|more| json!({"progressToken": token, "progress": from + more}));
    assert_eq!(params, expected);
}

async fn equal_ids_and_tokens_of_two_clients_stay_apart(kind: Kind) {
    let gate = Gate::closed();
    let server = waiting(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let mut clients = [
        (10, shared.legacy(json!({})).await),
        (20, shared.legacy(json!({})).await),
    ];
    for (from, client) in &mut clients {
        client.begin_call("1", "wait", json!({"from": from})).await;
    }
    server.wait_for_calls(2).await;
    gate.open();
    for (from, client) in &mut clients {
        assert_own(client, *from, &json!(1)).await;
    }
}

async fn equal_ids_of_two_modern_clients_stay_apart(kind: Kind) {
    let gate = Gate::closed();
    let server = waiting(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let [one, two] = shared.clients([Era::Modern; 2]).await;
    let mut clients = [(10, one), (20, two)];
    for (from, client) in &mut clients {
        let meta = json!({"progressToken": "t"});
        let params = json!({"name": "wait", "arguments": {"from": from}, "_meta": meta});
        client.begin("1", "tools/call", params).await;
    }
    server.wait_for_calls(2).await;
    gate.open();
    for (from, client) in &mut clients {
        assert_own(client, *from, &json!("t")).await;
    }
}

async fn sessions_of_two_profiles_live_side_by_side(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let shared = Shared::before(&server);
    let capabilities = [json!({"roots": {}}), json!({"sampling": {}})];
    let mut clients = [
        shared.legacy(capabilities[0].clone()).await,
        shared.legacy(capabilities[1].clone()).await,
    ];
    for round in ["1", "2", "3"] {
        for client in &mut clients {
            client.begin_call(round, "t", json!({})).await;
            let answer = client.end(round).await;
            assert!(answer.get("result").is_some(), "{answer}");
        }
    }
    let opened = server.requests_of("initialize").into_iter();
    let declared: Vec<_> = opened
        .map(|request| request.json()["params"]["capabilities"].take())
        .collect();
    assert_eq!(declared, capabilities);
}
