//! Ping, progress and cancellation.

use serde_json::{Value, json};

use super::TOOL;
use crate::pairing::Pairing;
use testkit::gate::Gate;
use testkit::json::{bytes_of, part, text_of};
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};
use testkit::within;

pub(super) async fn ping_is_answered_by_the_proxy(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let ping = r#"{"jsonrpc":"2.0","id":"\u0070","method":"ping"}"#;
    let answer = client.exchange(ping, r#""\u0070""#).await;
    assert_eq!(bytes_of(&answer, &["result"]), "{}");
    client.tool_names().await;
    assert!(server.requests_of("ping").is_empty());
}

pub(super) async fn ping_is_an_unknown_method(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let response = client.modern("ping", json!({})).await;
    assert_eq!(response["error"]["code"], -32601, "{response}");
    client.tool_names().await;
    assert!(server.requests_of("ping").is_empty());
}

pub(super) async fn ping_of_the_upstream_is_answered_by_the_proxy(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = builder.tool("t").on_call(|call| async move {
            let mut answers = Vec::new();
            for stream in [call.stream(), call.event_stream().await] {
                let id = format!(r#""p\u0069-{}""#, answers.len());
                let answer = stream.request(&id, "ping", "{}").await;
                answers.push(bytes_of(&answer, &["result"]).to_owned());
            }
            let content = json!([{"type": "text", "text": answers.join(" ")}]);
            json!({"content": content}).to_string().into_bytes()
        });
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        let response = client.call("t", json!({})).await;
        assert_eq!(text_of(&response), "{} {}");
        assert!(client.server_requests().is_empty());
    }
}

pub(super) async fn progress_passes_before_the_response(pairing: Pairing) {
    let progress = r#"{"jsonrpc":"2.0", "method":"notifications/progress","params":{"progressToken":"p","progress":1E0,"x":[ ]}}"#;
    for builder in pairing.servers() {
        let server = builder.tool("t").on_call(move |call| async move {
            call.send(progress).await;
            br#"{"content":[],"resultType":"complete"}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        let line = pairing.line("9", "tools/call", r#""progressToken":"p""#, r#""name":"t""#);
        let answer = client.exchange(line, "9").await;
        let received = client.received();
        assert_eq!(
            received[received.len() - 2..],
            [progress.as_bytes().to_vec(), answer]
        );
    }
}

pub(super) async fn progress_of_the_client_passes_unchanged(pairing: Pairing) {
    let progress = r#"{"jsonrpc":"2.0", "method":"notifications/progress","params":{"progressToken":"q","progress":1E0,"x":[ ]}}"#;
    for builder in pairing.servers() {
        let server = builder.tool("t").on_call(|call| async move {
            let params = r#"{"_meta":{"progressToken":"q"}}"#;
            call.request("7", "roots/list", params).await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, json!({"roots": {}})).await;
        let id = client.send_call("t", json!({})).await;
        let request = client.incoming_line("roots/list").await;
        client.send_line(progress).await;
        let is_progress = |notification: &Request| notification.is("notifications/progress");
        let received = server
            .wait_for_message("progress of the client", is_progress)
            .await;
        assert_eq!(String::from_utf8(received).unwrap(), progress);
        client.answer(&request, r#""result":{"roots":[]}"#).await;
        client.response(id).await;
    }
}

pub(super) async fn progress_of_the_client_is_dropped(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let progress = json!({"progressToken": "q", "progress": 1});
    client.notify("notifications/progress", progress).await;
    client.call("t", json!({})).await;
    assert!(client.close().await.success());
    assert!(server.requests_of("notifications/progress").is_empty());
}

/// A server whose calls of `t` hang until they are cancelled.
pub(super) async fn server_with_hanging_calls(builder: Builder) -> Upstream {
    let server = builder.tool("t").tool("other").on_call(|call| async move {
        if call.request.tool() == "t" {
            call.cancelled().await;
        }
        br#"{"content":[]}"#.to_vec()
    });
    server.start().await
}

pub(super) async fn cancellation_reaches_the_upstream(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = server_with_hanging_calls(builder).await;
        let mut client = pairing.client(&server).await;
        let line = pairing.line(r#""c\u0031""#, "tools/call", "", r#""name":"t""#);
        client.send_line(line).await;
        let call = server.wait_for_calls(1).await.remove(0);
        let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{ "reason":"\u00e9","requestId":ID,"x":1E2}}"#;
        client.send_line(cancelled.replace("ID", r#""c1""#)).await;
        let notification = server.wait_for_cancelled().await;
        let own = bytes_of(&call, &["id"]);
        assert_eq!(
            String::from_utf8(notification).unwrap(),
            cancelled.replace("ID", own)
        );
        client.call("other", json!({})).await;
        assert!(client.close().await.success());
        let lines = client.received();
        let answers = lines
            .iter()
            .filter(|line| part(line, &["id"]).is_some_and(|id| id.contains('c')));
        assert_eq!(answers.count(), 0);
    }
}

pub(super) async fn cancellation_closes_the_stream(pairing: Pairing) {
    let server = server_with_hanging_calls(pairing.server()).await;
    let mut client = pairing.client(&server).await;
    let id = client.send_call("t", json!({})).await;
    let call = server.wait_for_calls(1).await.remove(0);
    client.cancel(id).await;
    assert_eq!(server.wait_for_cancelled().await, call);
    client.call("other", json!({})).await;
    assert!(client.close().await.success());
    assert!(server.requests_of("notifications/cancelled").is_empty());
    let lines = client.received();
    let id = id.to_string();
    assert!(lines.iter().all(|line| part(line, &["id"]) != Some(&*id)));
}

pub(super) async fn server_request_is_cancelled_by_the_upstream(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = builder.tool("t").on_call(|call| async move {
            let request = r#"{"jsonrpc":"2.0","id":"\u0071","method":"roots/list","params":{}}"#;
            call.send(request).await;
            let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q","reason":"\u00e9"}}"#;
            call.send(cancelled).await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, json!({"roots": {}})).await;
        let id = client.send_call("t", json!({})).await;
        let request = client.incoming_line("roots/list").await;
        let cancelled = client.notification_line("notifications/cancelled").await;
        let named = bytes_of(&cancelled, &["params", "requestId"]);
        assert_eq!(named, bytes_of(&request, &["id"]));
        assert_eq!(bytes_of(&cancelled, &["params", "reason"]), r#""\u00e9""#);
        client.response(id).await;
        // A response that crosses the cancellation is ignored (MCP 2025-11-25 § Cancellation,
        // Behavior Requirements).
        client.answer(&request, r#""result":{"roots":[]}"#).await;
        client.call("t", json!({})).await;
    }
}

pub(super) async fn subscription_cancelled_upstream_is_reopened(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    if !pairing.legacy_client() {
        client.listen(json!({"toolsListChanged": true})).await;
    }
    server.wait_for_request("subscriptions/listen").await;
    // The server cancels the subscription and closes the stream.
    server.cancel_subscriptions().await;
    server.end_streams();
    server
        .raw
        .wait_for_count(2, |request| request.is("subscriptions/listen"))
        .await;
    server.set_tools([TOOL.replace("NAME", "new").as_str()]);
    server.list_changed().await;
    client
        .notification("notifications/tools/list_changed")
        .await;
    assert!(client.received_with("notifications/cancelled").is_empty());
}

pub(super) async fn modern_client_receives_no_cancellation(pairing: Pairing) {
    for builder in pairing.servers() {
        let taken_back = Gate::closed();
        let gate = taken_back.clone();
        let server = builder.tool("t").on_call(move |call| {
            let taken_back = gate.clone();
            async move {
                let request = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list","params":{}}"#;
                call.send(request).await;
                let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#;
                call.send(cancelled).await;
                call.stream().read().await;
                taken_back.open();
                br#"{"content":[]}"#.to_vec()
            }
        });
        let server = server.start().await;
        let mut client = pairing.client_with(&server, json!({"roots": {}})).await;
        let first = client.call("t", json!({})).await;
        if first["result"]["resultType"] == "input_required" {
            // A response that crosses the cancellation may still be forwarded.
            within("the proxy to read the cancellation", taken_back.passed()).await;
            let mut params = json!({"name": "t", "arguments": {}});
            params["requestState"] = first["result"]["requestState"].clone();
            let input_requests = first["result"]["inputRequests"].as_object().unwrap();
            let responses = input_requests
                .keys()
                .map(|key| (key.clone(), json!({"roots": []})));
            params["inputResponses"] = Value::Object(responses.collect());
            client.request_in_era("tools/call", params).await;
        }
        assert!(client.close().await.success());
        assert!(client.received_with("notifications/cancelled").is_empty());
        let responses = server.responses();
        assert!(
            responses
                .iter()
                .all(|response| response.id_bytes().unwrap() != br#""q""#)
        );
    }
}
