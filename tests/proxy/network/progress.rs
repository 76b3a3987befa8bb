//! Calls that report progress, for longer than their upstream may be silent.

use std::time::Duration;

use serde_json::json;

use crate::network::failure;
use testkit::upstream::{Call, Voice};
use testkit::{proxy, upstream};

/// Of which several reports go into the `timeout`, and it several times into the call.
const PAUSE: Duration = Duration::from_millis(250);
const REPORTS: u64 = 12;
const TIMEOUT: &str = "1s";

async fn report(call: &Call, voice: &Voice) {
    let token = call.request.json()["params"]["_meta"]["progressToken"].take();
    for progress in 1..=REPORTS {
        let params = json!({"progressToken": token, "progress": progress});
        let method = "notifications/progress";
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        voice.send(message.to_string()).await;
        tokio::time::sleep(PAUSE).await;
    }
}

fn done() -> Vec<u8> {
    br#"{"content":[],"resultType":"complete"}"#.to_vec()
}

/// Reports on the stream of the call.
fn on_its_stream(kind: upstream::Builder) -> upstream::Builder {
    let kind = kind.tool("slow").sse_replies();
    kind.on_call(|call| async move {
        let voice = call.voice();
        report(&call, &voice).await;
        done()
    })
}

/// Reports on the server's own stream, and answers the call, of which nothing comes before, by JSON.
fn beside_it() -> upstream::Builder {
    let kind = upstream::legacy().tool("slow");
    kind.on_call(|call| async move {
        let voice = call.aside().await;
        report(&call, &voice).await;
        done()
    })
}

#[tokio::test]
async fn call_lasts_while_its_progress_comes_on_any_stream() {
    let kinds = [
        ("modern", on_its_stream(upstream::modern())),
        ("legacy", on_its_stream(upstream::legacy())),
        ("http_sse", on_its_stream(upstream::http_sse())),
        ("beside", beside_it()),
    ];
    let mut all = Vec::new();
    for (name, kind) in kinds {
        // A client that can be asked is waited for in another way.
        let server = kind.start().await;
        for capabilities in [json!({}), json!({"elicitation": {}, "sampling": {}})] {
            let proxy = proxy::new().upstream("a", &server);
            let proxy = proxy.extra("a", json!({"timeout": TIMEOUT}));
            let mut client = proxy.start().await;
            client.initialize_with(capabilities.clone()).await;
            assert_eq!(client.tool_names().await, ["slow"]);
            let call = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": "p"}});
            let id = client.send_request("tools/call", call).await;
            all.push((name, capabilities, client, id));
        }
        // Each as long as the last one is waited for.
        std::mem::forget(server);
    }
    for (name, capabilities, mut client, id) in all {
        let answer = client.response(id).await;
        assert!(
            answer["result"].is_object(),
            "{name} {capabilities}: {answer}"
        );
        for progress in 1..=REPORTS {
            let heard = client.notification("notifications/progress").await;
            assert_eq!(heard["params"]["progress"], progress, "{name}: {heard}");
        }
    }
}

#[tokio::test]
async fn a_call_whose_progress_ends_times_out() {
    let kind = upstream::legacy().tool("slow");
    let server = kind.on_call(|call| async move {
        let voice = call.aside().await;
        report(&call, &voice).await;
        call.cancelled().await;
        done()
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", json!({"timeout": TIMEOUT})).start().await;
    client.initialize().await;
    let call = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": 7}});
    let id = client.send_request("tools/call", call).await;
    let failed = client.response(id).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31003, "unknown"), "{text}");
    assert!(text.contains("no sign of life for 1 s"), "{text}");
}
