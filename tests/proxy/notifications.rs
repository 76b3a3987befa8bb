//! Notifications of a call precede its response, in order. The client receives only those that it
//! requested.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, event};
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    [legacy modern]
    notifications_after_the_response_are_dropped
}

testkit::per_kind! {
    notifications_of_a_call_precede_its_response_in_order
    progress_matches_an_escaped_progress_token
    modern_client_receives_the_notifications_it_requested
}

async fn notifications_of_a_call_precede_its_response_in_order(kind: Kind) {
    for token in [None, Some(r#""p\u0031""#), Some("7"), Some("1.0")] {
        let server = kind.server().tool("talk").on_call(move |call| async move {
            for step in 0..100 {
                if let Some(token) = token {
                    call.send(progress(token, step)).await;
                }
                call.send(log(step)).await;
                // No call has these tokens.
                for foreign in [r#""7""#, "8", r#""p""#, "null", "{}"] {
                    call.send(progress(foreign, step)).await;
                }
                call.send(r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#)
                    .await;
            }
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let before = client.received().len();
        let meta = token.map(|token| format!(r#""progressToken":{token}"#));
        let meta = format!("{{{}}}", meta.unwrap_or_default());
        let line = call_line("1000", &format!(r#"{{"name":"talk","_meta":{meta}}}"#));
        let response = client.exchange(line, "1000").await;
        assert!(client.close().await.success());
        let progress = |step| token.map(|token| progress(token, step));
        let steps = (0..100).flat_map(|step| progress(step).into_iter().chain([log(step)]));
        let mut expected: Vec<_> = steps.map(String::into_bytes).collect();
        expected.push(response);
        assert!(client.received()[before..] == expected, "{token:?}");
    }
}

fn progress(token: &str, step: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step}.0,"x":1E2}}}}"#
    )
}

fn log(step: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{step}.0}}}}"#
    )
}

async fn progress_matches_an_escaped_progress_token(kind: Kind) {
    let server = kind.server().tool("talk").on_call(|call| async move {
        call.progress(1).await;
        br#"{"content":[]}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"name":"talk","_meta":{"progressToken":"\u0070\/1"}}"#;
    client.exchange(call_line("1000", params), "1000").await;
    let progress = client.received().into_iter().rev().nth(1).unwrap();
    let progress: Value = serde_json::from_slice(&progress).unwrap();
    assert_eq!(progress["params"]["progressToken"], "p/1");
}

async fn modern_client_receives_the_notifications_it_requested(kind: Kind) {
    let server = kind.server().tool("talk").on_call(|call| async move {
        call.progress(1).await;
        call.send(log(1)).await;
        br#"{"content":[]}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    // A modern client requests logs with the call (MCP 2026-07-28 § Logging).
    for (level, logs) in [(Value::Null, 0), (json!("debug"), 1)] {
        let before = client.received().len();
        let mut params = json!({"name": "talk", "_meta": {"progressToken": "p"}});
        if !level.is_null() {
            params["_meta"]["io.modelcontextprotocol/logLevel"] = level;
        }
        client.modern("tools/call", params).await;
        let received = client.received();
        let methods: Vec<Value> = received[before..]
            .iter()
            .map(|line| serde_json::from_slice::<Value>(line).unwrap()["method"].take())
            .collect();
        let count = |method: &str| {
            methods
                .iter()
                .filter(|method_of_line| **method_of_line == method)
                .count()
        };
        assert_eq!(count("notifications/progress"), 1, "{methods:?}");
        // A modern upstream filters by level itself. HTTP+SSE does not name the call of a log message.
        match kind {
            Kind::Legacy => assert_eq!(count("notifications/message"), logs, "{methods:?}"),
            Kind::HttpSse => assert!(count("notifications/message") <= logs, "{methods:?}"),
            _ => {}
        }
    }
}

async fn notifications_after_the_response_are_dropped(kind: Kind) {
    let server = upstream::http_sse()
        .tool("talk")
        .on_call(|call| async move {
            match call.request.json()["params"]["arguments"]["late"].as_bool() {
                Some(true) => call.send(progress("7", 1)).await,
                _ => call.progress(0).await,
            }
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"name":"talk","_meta":{"progressToken":7}}"#;
    client.exchange(call_line("1000", params), "1000").await;
    let before = client.received().len();
    // There is one stream, so this precedes the response to the second call.
    let params = r#"{"name":"talk","arguments":{"late":true}}"#;
    client.exchange(call_line("1001", params), "1001").await;
    assert!(client.close().await.success());
    assert_eq!(client.received().len(), before + 1);

    // A response stream is read up to the response only.
    let server = kind.server().tool("talk").intercept(|request| {
        let id = String::from_utf8(request.id_bytes()?).unwrap();
        let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        let events = [progress("7", 0), response, progress("7", 1), log(1)];
        request
            .is("tools/call")
            .then(|| Reply::sse(events.map(event)))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let before = client.received().len();
    let params = r#"{"name":"talk","_meta":{"progressToken":7}}"#;
    for id in ["1000", "1001"] {
        client.exchange(call_line(id, params), id).await;
    }
    assert!(client.close().await.success());
    assert_eq!(client.received().len(), before + 4);
}

#[tokio::test]
async fn standalone_stream_progress_is_forwarded_until_the_response() {
    let gate = Gate::closed();
    let server = upstream::legacy().tool("wait").held_by(&gate);
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"name":"wait","_meta":{"progressToken":"p"}}"#;
    client.send_line(call_line("1000", params)).await;
    server.wait_for_calls(1).await;
    let progress_params =
        |progress: u32| json!({"progressToken": "p", "progress": progress}).to_string();
    server
        .notify("notifications/progress", &progress_params(1))
        .await;
    let received_progress = client.notification("notifications/progress").await;
    assert_eq!(received_progress["params"]["progress"], 1);
    gate.open();
    client.answer_to("1000").await;
    let before = client.received().len();
    server
        .notify("notifications/progress", &progress_params(2))
        .await;
    // The stream is in order, so progress would precede this message.
    server.notify("notifications/message", "{}").await;
    client.notification("notifications/message").await;
    assert_eq!(client.received().len(), before + 1);
}

#[tokio::test]
async fn batched_messages_are_forwarded_one_by_one() {
    for events in [false, true] {
        let server = upstream::legacy().tool("talk").intercept(move |request| {
            let id = String::from_utf8(request.id_bytes()?).unwrap();
            let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            let batch = format!("[{},\n{} , {response}]", progress("7", 1), log(2));
            request.is("tools/call").then(|| match events {
                true => Reply::sse([event(batch)]),
                false => Reply::json(batch),
            })
        });
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let before = client.received().len();
        let params = r#"{"name":"talk","_meta":{"progressToken":0,"progressToken":7}}"#;
        let response = client.exchange(call_line("1000", params), "1000").await;
        let expected = [progress("7", 1).into_bytes(), log(2).into_bytes(), response];
        assert_eq!(client.received()[before..], expected, "{events}");
    }
}

#[tokio::test]
async fn broken_stream_is_resumed_and_its_call_is_not_resent() {
    let has_resumed = AtomicBool::new(false);
    let server = upstream::legacy().tool("talk").intercept(move |request| {
        // The first stream has an event id with the call's id, and breaks off, as does the second.
        if request.is("tools/call") {
            let id = String::from_utf8(request.id_bytes()?).unwrap();
            let start = format!("id: {id}-1\nretry: 1\ndata: {}\n\n", log(1));
            return Some(
                Reply::sse([start.as_str(), "data: {\"half\""].map(str::to_owned)).broken_off(),
            );
        }
        let (id, step) = request.header("last-event-id")?.split_once('-')?;
        Some(match step {
            // This stream has no event id to resume from.
            "1" if !has_resumed.swap(true, Ordering::SeqCst) => Reply::sse([": hello\n\n"]),
            "1" => Reply::sse([format!("id: {id}-2\ndata: {}\n\n", log(2))]),
            _ => {
                let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":1.0}}}}"#);
                Reply::sse([event(log(3)), event(response)])
            }
        })
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let before = client.received().len();
    let response = client
        .exchange(call_line("1000", r#"{"name":"talk"}"#), "1000")
        .await;
    let expected = [
        log(1),
        log(2),
        log(3),
        r#"{"jsonrpc":"2.0","id":1000,"result":{"x":1.0}}"#.to_owned(),
    ];
    assert_eq!(response, expected[3].as_bytes());
    assert_eq!(
        client.received()[before..],
        expected.map(String::into_bytes)
    );
    let requests = server.raw.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.is("tools/call"))
            .count(),
        1
    );
}
