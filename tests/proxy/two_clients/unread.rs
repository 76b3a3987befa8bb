//! A client that does not read its answers: they wait at the server, and those of the other come.

use serde_json::json;

use super::scene::Scene;
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
    let scene = Scene::of(proxy.env("PROXY_ANSWER_MEMORY", "4M"));
    let mut silent = scene.legacy(json!({})).await;
    let mut reads = scene.legacy(json!({})).await;
    for id in 0..CALLS {
        silent.call(id, "large", json!({})).await;
    }
    server.wait_for_calls(CALLS as usize).await;
    for id in 0..CALLS {
        reads.call(id, "large", json!({})).await;
    }
    for client in [&mut reads, &mut silent] {
        for id in 0..CALLS {
            let answer = client.response(json!(id)).await;
            assert!(answer.get("result").is_some(), "{answer}");
        }
    }
}
