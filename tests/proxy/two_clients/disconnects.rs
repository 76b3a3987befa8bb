//! A client that disconnects during a call: its calls are cancelled, and those of the other client go on.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::upstream::Kind;

use super::harness::{Era, SharedProxy};

per_pair! {
    disconnect_cancels_only_the_calls_of_that_client
}

testkit::per_kind! {
    disconnect_leaves_an_equal_call_of_the_other_running
}

async fn disconnect_cancels_only_the_calls_of_that_client(kind: Kind, eras: [Era; 2]) {
    let gate = Gate::closed();
    let server = kind.server().tool("wait").held_by(&gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    let wait = json!({"name": "wait", "arguments": {}});
    a.start_request("7", "tools/call", wait.clone()).await;
    let calls = server.wait_for_calls(1).await;
    b.start_request("7", "tools/call", wait).await;
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
    let answer = b.response_to("7").await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.cancelled().len(), 1);
    a.assert_unanswered("7");
}

async fn disconnect_leaves_an_equal_call_of_the_other_running(kind: Kind) {
    let gate = Gate::closed();
    let server_gate = gate.clone();
    let server = kind.server().tool("wait").on_call(move |call| {
        let gate = server_gate.clone();
        async move {
            if call.request.json()["params"]["arguments"]["disconnects"] == true {
                call.cancelled().await;
            } else {
                gate.passed().await;
            }
            br#"{"content":[]}"#.to_vec()
        }
    });
    let server = server.start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut disconnecting = proxy.connect_legacy(json!({})).await;
    let mut staying = proxy.connect_legacy(json!({})).await;
    disconnecting
        .start_call("1", "wait", json!({"disconnects": true}))
        .await;
    staying
        .start_call("1", "wait", json!({"disconnects": false}))
        .await;
    server.wait_for_calls(2).await;
    drop(disconnecting);
    match kind {
        Kind::Modern => _ = server.raw.wait_for_disconnect().await,
        Kind::Legacy | Kind::HttpSse => _ = server.wait_for_cancelled().await,
    }
    gate.open();
    let answer = staying.response_to("1").await;
    assert!(answer.get("result").is_some(), "{answer}");
    if kind != Kind::Modern {
        assert_eq!(server.cancelled().len(), 1);
    }
}
