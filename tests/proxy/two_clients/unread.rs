//! A client that does not read its answers: they wait at the server, and those of the other come.

use serde_json::json;

use super::harness::Shared;
use testkit::proxy;
use testkit::upstream::Kind;

testkit::per_kind! {
    [legacy modern http_sse]
    unread_answers_of_one_client_stop_no_other
}

/// More than the share of one client, in answers that each need one of the permits for large ones.
const CALLS: u64 = 24;
const BYTES: usize = 600 << 10;

async fn unread_answers_of_one_client_stop_no_other(kind: Kind) {
    let large = json!({"content": [{"type": "text", "text": "x".repeat(BYTES)}]}).to_string();
    let server = kind.server().tool("large");
    let server = server
        .reply_with(move |_| large.clone().into_bytes())
        .start()
        .await;
    let proxy = proxy::new().upstream("a", &server);
    let shared = Shared::new(proxy.env("PROXY_ANSWER_MEMORY", "4M"));
    let mut silent = shared.silent_legacy().await;
    let mut reads = shared.legacy(json!({})).await;
    let ids: Vec<_> = (1..=CALLS).map(|id| id.to_string()).collect();
    let call = json!({"name": "large", "arguments": {}});
    for id in &ids {
        silent.begin(id, "tools/call", &call).await;
    }
    server.wait_for_calls(CALLS as usize).await;
    for id in &ids {
        reads.begin(id, "tools/call", call.clone()).await;
    }
    for id in &ids {
        let answer = reads.end(id).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
    let mut silent = silent.read();
    for id in 1..=CALLS {
        let answer = silent.response(id).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
}
