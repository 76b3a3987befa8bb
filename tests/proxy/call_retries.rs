//! A call that may have reached its server is resent only if its tool is read-only or idempotent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::Endpoint;
use testkit::proxy;
use testkit::raw::{Reply, Request, event};
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    [legacy http_sse]
    call_on_an_expired_session_is_resent_once_on_a_new_one
}

// The kinds with one HTTP exchange for each call.
testkit::per_kind! {
    [legacy modern]
    lost_call_is_not_resent_and_its_outcome_is_unknown
    lost_call_of_an_idempotent_tool_is_resent_once
    call_lost_after_a_notification_is_not_resent
    invalid_response_does_not_resend_the_call
}

testkit::per_kind! {
    call_to_unreachable_upstream_has_not_run
}

/// A name for messages, and the reply of the server to a call.
type NamedReply = (&'static str, fn(&Request) -> Reply);

/// The ways in which a server fails after it has read a call. The call may have run.
fn ways_to_lose_a_call() -> [NamedReply; 6] {
    [
        ("a reset", |_| Reply::reset()),
        ("a close", |_| Reply::raw("")),
        ("half a head", |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-")),
        ("half a body", |_| {
            Reply::cut("{\"jsonrpc\":\"2.0\",\"id\":1,")
        }),
        ("half a stream", |_| {
            Reply::sse(["event: message\ndata: {\"jsonrpc\""]).broken_off()
        }),
        ("a stream without the response", |_| {
            Reply::sse([": nothing\n\n"])
        }),
    ]
}

/// Starts a server that loses the first `times` calls. Also returns the number of calls it has read.
async fn start_losing_server(
    builder: Builder,
    annotations: Value,
    times: usize,
    loss: fn(&Request) -> Reply,
) -> (Upstream, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let calls = count.clone();
    let tool =
        json!({"name": "work", "inputSchema": {"type": "object"}, "annotations": annotations});
    let builder = builder
        .tool_raw(&tool.to_string())
        .intercept(move |request| {
            let number = request
                .is("tools/call")
                .then(|| calls.fetch_add(1, Ordering::SeqCst))?;
            (number < times).then(|| loss(request))
        });
    (builder.start().await, count)
}

fn calls_received(count: &AtomicUsize) -> usize {
    count.load(Ordering::SeqCst)
}

async fn lost_call_is_not_resent_and_its_outcome_is_unknown(kind: Kind) {
    for (fault, loss) in ways_to_lose_a_call() {
        for annotations in [
            json!({}),
            json!({"readOnlyHint": false, "title": "readOnlyHint"}),
        ] {
            let (server, count) = start_losing_server(kind.server(), annotations, 1, loss).await;
            let mut client = proxy::before(&server).await;
            let response = client.call("work", json!({})).await;
            let case = format!("{fault}: {response}");
            assert_eq!(response["error"]["code"], -31004, "{case}");
            assert_eq!(response["error"]["data"]["outcome"], "unknown", "{case}");
            assert_eq!(response["error"]["data"]["upstream"], "a", "{case}");
            assert_eq!(calls_received(&count), 1, "{case}");
            // A later call is not affected.
            let response = client.call("work", json!({})).await;
            assert!(response["result"].is_object(), "{case}, then {response}");
            assert_eq!(calls_received(&count), 2, "{case}");
        }
    }
}

async fn lost_call_of_an_idempotent_tool_is_resent_once(kind: Kind) {
    for (fault, loss) in ways_to_lose_a_call() {
        for hint in ["readOnlyHint", "idempotentHint"] {
            let (server, count) =
                start_losing_server(kind.server(), json!({hint: true}), 1, loss).await;
            let mut client = proxy::before(&server).await;
            let response = client.call("work", json!({"a": 1})).await;
            assert!(response["result"].is_object(), "{fault}: {response}");
            assert_eq!(calls_received(&count), 2, "{fault}");
            let calls = server.raw.requests();
            let calls = calls.iter().filter(|request| request.is("tools/call"));
            let calls: Vec<_> = calls.map(Request::json).collect();
            assert_eq!(calls[0]["params"], calls[1]["params"]);
            assert_ne!(calls[0]["id"], calls[1]["id"], "{fault}");
        }
    }
    let (server, count) = start_losing_server(
        kind.server(),
        json!({"readOnlyHint": true}),
        9,
        ways_to_lose_a_call()[0].1,
    )
    .await;
    let mut client = proxy::before(&server).await;
    let response = client.call("work", json!({})).await;
    assert_eq!(response["error"]["code"], -31004, "{response}");
    assert_eq!(calls_received(&count), 2);
}

async fn call_lost_after_a_notification_is_not_resent(kind: Kind) {
    let loss: fn(&Request) -> Reply = |_| {
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}"#;
        Reply::sse([event(log)]).broken_off()
    };
    let (server, count) =
        start_losing_server(kind.server(), json!({"readOnlyHint": true}), 1, loss).await;
    let mut client = proxy::before(&server).await;
    let response = client.call("work", json!({})).await;
    assert_eq!(response["error"]["code"], -31004, "{response}");
    assert_eq!(calls_received(&count), 1);
}

async fn invalid_response_does_not_resend_the_call(kind: Kind) {
    let replies: [NamedReply; 7] = [
        ("no JSON", |_| Reply::json("{]")),
        ("nothing", |_| Reply::json("")),
        ("another id", |_| {
            Reply::json(r#"{"jsonrpc":"2.0","id":999999,"result":{}}"#)
        }),
        ("202", |_| Reply::status(202)),
        ("204", |_| Reply::status(204)),
        ("500", |_| Reply::status(500).body("oops")),
        ("HTML", |_| {
            Reply::json("<p>").header("content-type", "text/html")
        }),
    ];
    for (fault, response) in replies {
        // An invalid response would be repeated, so even read-only calls are not resent.
        for annotations in [json!({}), json!({"readOnlyHint": true})] {
            let (server, count) =
                start_losing_server(kind.server(), annotations, 9, response).await;
            let mut client = proxy::before(&server).await;
            let response = client.call("work", json!({})).await;
            assert_eq!(
                response["error"]["data"]["outcome"], "unknown",
                "{fault}: {response}"
            );
            assert_eq!(calls_received(&count), 1, "{fault}: {response}");
        }
    }
}

#[tokio::test]
async fn call_on_a_lost_http_sse_stream_is_resent_if_idempotent() {
    let tool = r#"{"name":"work","annotations":{"readOnlyHint":HINT}}"#;
    for (hint, calls) in [("false", 1), ("true", 2)] {
        let builder = upstream::http_sse().tool_raw(&tool.replace("HINT", hint));
        let first = AtomicBool::new(true);
        let builder = builder.on_call(move |_| {
            let is_lost = first.swap(false, Ordering::SeqCst);
            async move {
                if is_lost {
                    std::future::pending::<()>().await;
                }
                br#"{"content":[]}"#.to_vec()
            }
        });
        let mut server = builder.start().await;
        let mut client = proxy::before(&server).await;
        let id = client
            .send_request("tools/call", json!({"name": "work"}))
            .await;
        server.wait_for_calls(1).await;
        server.raw.stop().await;
        server.restart();
        let response = client.response(id).await;
        match hint {
            "true" => assert!(response["result"].is_object(), "{response}"),
            _ => assert_eq!(
                response["error"]["data"]["outcome"], "unknown",
                "{response}"
            ),
        }
        assert_eq!(server.calls().len(), calls, "{response}");
    }
}

async fn call_to_unreachable_upstream_has_not_run(kind: Kind) {
    let server = kind.server().tool("work").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.env("PROXY_CONNECT_WAIT", "300ms").start().await;
    client.initialize().await;
    assert!(client.call("work", json!({})).await["result"].is_object());
    server.raw.stop().await;
    // A dead pooled connection is found only by its use. Then the call may have run.
    let mut response = client.call("work", json!({})).await;
    while response["error"]["data"]["outcome"] == "unknown" {
        response = client.call("work", json!({})).await;
    }
    assert_eq!(
        response["error"]["data"]["outcome"], "not run",
        "{response}"
    );
    let message = response["error"]["message"].as_str().unwrap();
    assert!(message.contains("did not answer `tools/call`"), "{message}");
    assert_eq!(server.calls().len(), 1);
}

async fn call_on_an_expired_session_is_resent_once_on_a_new_one(kind: Kind) {
    let server = kind.server().tool("work").start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    let before = initialize_count(&server);
    server.expire_sessions();
    let mut ids = Vec::new();
    for number in 0..20 {
        let params = json!({"name": "work", "arguments": {"number": number}});
        ids.push(client.send_request("tools/call", params).await);
    }
    for id in ids {
        let response = client.response(id).await;
        assert!(
            response["result"].is_object(),
            "{}: {response}",
            server.url()
        );
    }
    // Each call ran once, and all of them waited for the same new session.
    assert_eq!(server.calls().len(), 21, "{}", server.url());
    assert_eq!(initialize_count(&server), before + 1, "{}", server.url());
}

fn initialize_count(server: &Upstream) -> usize {
    let requests = server.raw.requests();
    requests
        .iter()
        .filter(|request| request.is("initialize"))
        .count()
}

#[tokio::test]
async fn call_rejected_on_the_new_session_too_fails() {
    let not_found: fn(&Request) -> Reply = |_| Reply::status(404);
    let (server, count) = start_losing_server(upstream::legacy(), json!({}), 9, not_found).await;
    let mut client = proxy::before(&server).await;
    let response = client.call("work", json!({})).await;
    assert_eq!(
        response["error"]["data"]["outcome"], "not run",
        "{response}"
    );
    assert_eq!(calls_received(&count), 2);
    assert_eq!(initialize_count(&server), 2);
}

#[tokio::test]
async fn idempotent_call_lost_after_progress_is_not_resent() {
    let tool = r#"{"name":"work","annotations":{"readOnlyHint":true}}"#;
    let builder = upstream::http_sse().tool_raw(tool);
    let builder = builder.on_call(|call| async move {
        call.progress(1).await;
        std::future::pending().await
    });
    let mut server = builder.start().await;
    let mut client = proxy::before(&server).await;
    let params = json!({"name": "work", "_meta": {"progressToken": 1}});
    let id = client.send_request("tools/call", params).await;
    let progress = client.notification("notifications/progress").await;
    assert_eq!(progress["params"]["progressToken"], 1);
    server.raw.stop().await;
    server.restart();
    let response = client.response(id).await;
    assert_eq!(
        response["error"]["data"]["outcome"], "unknown",
        "{response}"
    );
    assert_eq!(server.calls().len(), 1, "{response}");
}
