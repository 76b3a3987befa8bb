//! A client that leaves, and one that does not read: the other goes on.

use serde_json::json;

use super::harness::Shared;
use testkit::gate::Gate;
use testkit::upstream::Kind;

testkit::per_kind! {
    calls_of_a_client_that_leaves_are_cancelled_alone
}

testkit::per_kind! {
    [legacy http_sse]
    a_client_that_does_not_read_holds_up_no_other
}

async fn calls_of_a_client_that_leaves_are_cancelled_alone(kind: Kind) {
    let gate = Gate::closed();
    let own = gate.clone();
    let server = kind.server().tool("wait").on_call(move |call| {
        let gate = own.clone();
        async move {
            if call.request.json()["params"]["arguments"]["leaves"] == true {
                call.cancelled().await;
            } else {
                gate.passed().await;
            }
            br#"{"content":[]}"#.to_vec()
        }
    });
    let server = server.start().await;
    let shared = Shared::before(&server);
    let mut leaves = shared.legacy(json!({})).await;
    let mut stays = shared.legacy(json!({})).await;
    leaves
        .begin_call("1", "wait", json!({"leaves": true}))
        .await;
    stays
        .begin_call("1", "wait", json!({"leaves": false}))
        .await;
    server.wait_for_calls(2).await;
    drop(leaves);
    match kind {
        Kind::Modern => _ = server.raw.wait_for_disconnect().await,
        Kind::Legacy | Kind::HttpSse => _ = server.wait_for_cancelled().await,
    }
    gate.open();
    let answer = stays.end("1").await;
    assert!(answer.get("result").is_some(), "{answer}");
    if kind != Kind::Modern {
        assert_eq!(server.cancelled().len(), 1);
    }
}

async fn a_client_that_does_not_read_holds_up_no_other(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let shared = Shared::before(&server);
    let silent = shared.silent_legacy().await;
    let mut reads = shared.legacy(json!({})).await;
    // More than the silent client's pipe, outbox and queue hold.
    let data = "x".repeat(4 << 10);
    for nth in 0..1000 {
        let params = json!({"level": "info", "data": data, "nth": nth}).to_string();
        server.notify("notifications/message", &params).await;
        let log = reads.notification("notifications/message").await;
        assert_eq!(log["params"]["nth"], nth);
    }
    reads.begin_call("1", "t", json!({})).await;
    reads.end("1").await;
    // The silent one has lost some, and what it has is in order.
    let mut silent = silent.read();
    let call = json!({"name": "t", "arguments": {}});
    silent.request("tools/call", call).await;
    let logs = silent.rest("notifications/message");
    let nths: Vec<_> = logs.iter().map(|it| it["params"]["nth"].as_u64()).collect();
    assert!(nths.is_sorted(), "{nths:?}");
    assert!((1..1000).contains(&nths.len()), "{}", nths.len());
}
