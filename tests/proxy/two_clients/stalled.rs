//! A client that does not read: it blocks neither calls of the other client nor notifications to it.

use serde_json::json;
use testkit::proxy::{self, with_meta};
use testkit::upstream::Kind;

use super::harness::{Era, SharedProxy};

per_pair! {
    stalled_client_does_not_block_calls_of_the_other
}

testkit::per_kind! {
    [legacy http_sse]
    stalled_client_does_not_block_logs_to_the_other
}

testkit::per_kind! {
    [legacy modern http_sse]
    unread_responses_do_not_block_responses_to_the_other
}

/// Eight of these exceed what the stream and the memory for unread responses hold.
const RESPONSE_BYTES: usize = 200 << 10;

async fn stalled_client_does_not_block_calls_of_the_other(kind: Kind, eras: [Era; 2]) {
    let server = kind.server().tool("t").reply_with(|request| {
        let text = match request.json()["params"]["arguments"]["large"] == true {
            true => "x".repeat(RESPONSE_BYTES),
            false => "y".to_owned(),
        };
        let content = json!([{"type": "text", "text": text}]);
        let answer = json!({"content": content, "resultType": "complete"});
        answer.to_string().into_bytes()
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let proxy = SharedProxy::new(proxy.env("PROXY_ANSWER_MEMORY", "300k"));
    let mut stalled = proxy.connect_stalled();
    let large = json!({"name": "t", "arguments": {"large": true}});
    let large = match eras[0] {
        Era::Modern => with_meta(large),
        Era::Legacy => large,
    };
    for id in 1..9 {
        stalled
            .start_request(&id.to_string(), "tools/call", &large)
            .await;
    }
    server.wait_for_calls(1).await;
    let mut b = proxy.connect(eras[1], json!({})).await;
    for id in ["1", "2", "3"] {
        let small = json!({"name": "t", "arguments": {"large": false}});
        let answer = b.request_with_id(id, "tools/call", small).await;
        assert_eq!(answer["result"]["content"][0]["text"], "y");
    }
}

async fn stalled_client_does_not_block_logs_to_the_other(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let stalled = proxy.connect_stalled_legacy().await;
    let mut reading = proxy.connect_legacy(json!({})).await;
    // A thousand of these exceed what the stalled client's stream, outbox and queue hold.
    let data = "x".repeat(4 << 10);
    for nth in 0..1000 {
        let params = json!({"level": "info", "data": data, "nth": nth}).to_string();
        server.notify("notifications/message", &params).await;
        let log = reading.notification("notifications/message").await;
        assert_eq!(log["params"]["nth"], nth);
    }
    reading.start_call("1", "t", json!({})).await;
    reading.response_to("1").await;
    // The stalled client has lost some of the logs; the others are in order.
    let mut stalled = stalled.resume_reading();
    let call = json!({"name": "t", "arguments": {}});
    stalled.request("tools/call", call).await;
    let logs = stalled.rest("notifications/message");
    let nths: Vec<_> = logs.iter().map(|it| it["params"]["nth"].as_u64()).collect();
    assert!(nths.is_sorted(), "{nths:?}");
    assert!((1..1000).contains(&nths.len()), "{}", nths.len());
}

/// More responses than one client's share of the memory holds; each needs a permit for a large body.
const CALLS: u64 = 24;
const LARGE_RESPONSE_BYTES: usize = 600 << 10;

async fn unread_responses_do_not_block_responses_to_the_other(kind: Kind) {
    let large = json!({"content": [{"type": "text", "text": "x".repeat(LARGE_RESPONSE_BYTES)}]})
        .to_string();
    let server = kind.server().tool("large");
    let server = server
        .reply_with(move |_| large.clone().into_bytes())
        .start()
        .await;
    let proxy = proxy::new().upstream("a", &server);
    let proxy = SharedProxy::new(proxy.env("PROXY_ANSWER_MEMORY", "4M"));
    let mut stalled = proxy.connect_stalled_legacy().await;
    let mut reading = proxy.connect_legacy(json!({})).await;
    let ids: Vec<_> = (1..=CALLS).map(|id| id.to_string()).collect();
    let call = json!({"name": "large", "arguments": {}});
    for id in &ids {
        stalled.start_request(id, "tools/call", &call).await;
    }
    server.wait_for_calls(CALLS as usize).await;
    for id in &ids {
        reading.start_request(id, "tools/call", call.clone()).await;
    }
    for id in &ids {
        let answer = reading.response_to(id).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
    let mut stalled = stalled.resume_reading();
    for id in 1..=CALLS {
        let answer = stalled.response(id).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
}
