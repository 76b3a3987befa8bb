//! A client that leaves in the middle of a call, in each pairing of eras.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::upstream::Kind;

use super::harness::{Era, Shared};

per_pair! {
    calls_of_a_client_that_leaves_end_and_no_others
}

async fn calls_of_a_client_that_leaves_end_and_no_others(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = kind.server().tool("wait").held_by(&gate).start().await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    let wait = json!({"name": "wait", "arguments": {}});
    a.begin("7", "tools/call", wait.clone()).await;
    let calls = server.wait_for_calls(1).await;
    b.begin("7", "tools/call", wait).await;
    server.wait_for_calls(2).await;
    a.close_stdin();
    a.wait_for_end_of_output().await;
    let cancelled: Value = serde_json::from_slice(&server.wait_for_cancelled().await).unwrap();
    let call: Value = serde_json::from_slice(&calls[0]).unwrap();
    match kind {
        Kind::Modern => assert_eq!(cancelled["id"], call["id"]),
        _ => assert_eq!(cancelled["params"]["requestId"], call["id"]),
    }
    gate.open();
    let answer = b.end("7").await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.cancelled().len(), 1);
    a.assert_unanswered("7");
}
