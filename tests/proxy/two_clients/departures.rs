//! A client that leaves in the middle of a call, and one that does not read, in each pairing of eras.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, with_meta};
use testkit::upstream::Kind;

use super::harness::{Era, Shared};

per_pair! {
    calls_of_a_client_that_leaves_end_and_no_others
    a_client_that_does_not_read_holds_up_no_call_of_the_other
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

/// More than a stream and the memory for unread answers hold.
const ANSWER_BYTES: usize = 200 << 10;

async fn a_client_that_does_not_read_holds_up_no_call_of_the_other(kind: Kind, eras: [Era; 2]) {
    let server = kind.server().tool("t").reply_with(|request| {
        let text = match request.json()["params"]["arguments"]["large"] == true {
            true => "x".repeat(ANSWER_BYTES),
            false => "y".to_owned(),
        };
        let content = json!([{"type": "text", "text": text}]);
        let answer = json!({"content": content, "resultType": "complete"});
        answer.to_string().into_bytes()
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let shared = Shared::new(proxy.env("PROXY_ANSWER_MEMORY", "300k"));
    let mut silent = shared.silent();
    let large = json!({"name": "t", "arguments": {"large": true}});
    let large = match eras[0] {
        Era::Modern => with_meta(large),
        Era::Legacy => large,
    };
    for id in 1..9 {
        silent.begin(&id.to_string(), "tools/call", &large).await;
    }
    server.wait_for_calls(1).await;
    let mut b = shared.client(eras[1], json!({})).await;
    for id in ["1", "2", "3"] {
        let small = json!({"name": "t", "arguments": {"large": false}});
        let answer = b.finish(id, "tools/call", small).await;
        assert_eq!(answer["result"]["content"][0]["text"], "y");
    }
}
