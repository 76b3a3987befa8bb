//! A cancelled request ends at its upstream, as the upstream's era defines it, and gets no response.

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, Client, call_line};
use testkit::upstream::{Builder, Kind};

testkit::per_kind! {
    cancelled_call_ends_at_its_upstream_without_response
    cancellation_ends_only_the_named_call
    cancellation_of_an_unknown_request_is_ignored
    calls_in_flight_are_cancelled_when_stdin_closes
}

/// Adds a tool `wait` that responds only after its cancellation, and a tool `echo`.
fn add_waiting_tool(builder: Builder) -> Builder {
    let builder = builder.tool("wait").tool("echo");
    builder.on_call(|call| async move {
        if call.request.tool() == "wait" {
            call.progress(1).await;
            call.cancelled().await;
            call.progress(2).await;
        }
        br#"{"content":[]}"#.to_vec()
    })
}

/// Whether the client has received a response to the request `id`, given as JSON.
fn has_response(client: &Client, id: &str) -> bool {
    let id: Value = serde_json::from_str(id).unwrap();
    let lines = client.received();
    let mut messages = lines
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap());
    messages.any(|message| message.get("method").is_none() && message["id"] == id)
}

fn cancel_line(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","x":1.0,"method":"notifications/cancelled","params":{{"reason":"\u0061","requestId":{id},"y":[ ]}}}}"#
    )
}

async fn cancelled_call_ends_at_its_upstream_without_response(kind: Kind) {
    for (id, as_cancelled) in [
        ("1000", "1000"),
        (r#""\u0061""#, r#""a""#),
        ("-1.50", "-1.50"),
    ] {
        let server = add_waiting_tool(kind.server()).start().await;
        let mut client = proxy::before(&server).await;
        let params = r#"{"name":"wait","_meta":{"progressToken":"p"}}"#;
        client.send_line(call_line(id, params)).await;
        client.notification("notifications/progress").await;
        let before = client.received().len();
        let call = server.wait_for_calls(1).await.remove(0);
        client.send_line(cancel_line(as_cancelled)).await;
        let cancelled = server.wait_for_cancelled().await;
        match kind {
            // The proxy closes the response stream.
            Kind::Modern => assert_eq!(cancelled, call),
            // The proxy forwards the notification with the id that it sent upstream.
            _ => {
                let call: Value = serde_json::from_slice(&call).unwrap();
                let expected = cancel_line(&call["id"].to_string());
                assert_eq!(String::from_utf8(cancelled).unwrap(), expected);
            }
        }
        // The connection stays open, and the id may be used again.
        let response = client
            .exchange(call_line(id, r#"{"name":"echo"}"#), id)
            .await;
        assert!(String::from_utf8(response).unwrap().contains("content"));
        assert!(client.close().await.success());
        assert_eq!(client.received().len(), before + 1);
        assert_eq!(server.cancelled().len(), 1);
        let is_cancellation =
            |request: &testkit::raw::Request| request.is("notifications/cancelled");
        let cancellations = server
            .raw
            .requests()
            .iter()
            .filter(|request| is_cancellation(request))
            .count();
        assert_eq!(cancellations, usize::from(kind != Kind::Modern));
    }
}

async fn cancellation_ends_only_the_named_call(kind: Kind) {
    let gate = Gate::closed();
    let server = kind.server().tool("wait").held_by(&gate);
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let ids = ["1000", r#""1000""#, "1001"];
    for id in ids {
        client.send_line(call_line(id, r#"{"name":"wait"}"#)).await;
    }
    server.wait_for_calls(ids.len()).await;
    client.send_line(cancel_line("1000")).await;
    server.wait_for_cancelled().await;
    gate.open();
    for id in &ids[1..] {
        client.answer_to(id).await;
    }
    client.close().await;
    assert!(!has_response(&client, "1000"));
    assert_eq!(server.cancelled().len(), 1);
}

async fn cancellation_of_an_unknown_request_is_ignored(kind: Kind) {
    let server = add_waiting_tool(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    client
        .exchange(call_line("7", r#"{"name":"echo"}"#), "7")
        .await;
    // Already answered, never used, of another JSON type, and no id at all.
    for id in ["7", "8", r#""7""#, "7.0", "null", "{}"] {
        client.send_line(cancel_line(id)).await;
    }
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[7]}"#,
    ] {
        client.send_line(line).await;
    }
    client.send_line(call_line("9", r#"{"name":"wait"}"#)).await;
    let call = server.wait_for_calls(2).await.remove(1);
    client.send_line(cancel_line("9")).await;
    server.wait_for_cancelled().await;
    assert!(client.request("ping", json!({})).await["result"].is_object());
    client.close().await;
    // Only the running call was cancelled.
    let cancelled = server.cancelled();
    assert_eq!(cancelled.len(), 1);
    if kind != Kind::Modern {
        let call: Value = serde_json::from_slice(&call).unwrap();
        let expected = cancel_line(&call["id"].to_string());
        assert_eq!(cancelled[0], expected.as_bytes());
    }
}

async fn calls_in_flight_are_cancelled_when_stdin_closes(kind: Kind) {
    let server = add_waiting_tool(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    for id in ["1000", "1001"] {
        client.send_line(call_line(id, r#"{"name":"wait"}"#)).await;
    }
    server.wait_for_calls(2).await;
    assert!(client.close().await.success());
    server.wait_for_cancelled().await;
    if kind != Kind::Modern {
        assert_eq!(server.cancelled().len(), 2);
    }
    assert!(!has_response(&client, "1000") && !has_response(&client, "1001"));
}
