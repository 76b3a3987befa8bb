//! Streamable HTTP of 2026-07-28: requests that carry their own metadata, and rejected requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::transports::{count, log_message};
use testkit::json::{answer, text_of};
use testkit::raw::{Reply, Request, event};
use testkit::{proxy, upstream};

const KEY: &str = "io.modelcontextprotocol/";

/// A reply that rejects `request` with `code`.
fn rejection(request: &Request, code: i32, data: &Value) -> Reply {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    let error = json!({"code": code, "message": "refused", "data": data});
    let message = json!({"jsonrpc": "2.0", "id": id, "error": error});
    Reply::json(message.to_string()).with_status(400)
}

#[tokio::test]
async fn every_request_carries_its_metadata() {
    for legacy_client in [false, true] {
        let server = upstream::modern().tool("search").start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        if legacy_client {
            client.initialize().await;
        }
        assert_eq!(client.tool_names().await, ["search"]);
        client.call("search", json!({})).await;
        server
            .raw
            .wait_for(|request| request.is("subscriptions/listen"))
            .await;
        assert!(client.close().await.success());

        let requests = server.raw.requests();
        for method in ["server/discover", "tools/list", "tools/call"] {
            assert_eq!(count(&requests, method), 1, "{method}");
        }
        for request in &requests {
            let method = request.rpc_method();
            assert_eq!(request.method, "POST");
            assert_eq!(request.header("mcp-method"), Some(method.as_str()));
            assert_eq!(request.header("mcp-protocol-version"), Some("2026-07-28"));
            assert_eq!(request.header("mcp-session-id"), None);
            assert_eq!(request.header("content-type"), Some("application/json"));
            let named = (method == "tools/call").then_some("search");
            assert_eq!(request.header("mcp-name"), named, "{method}");
            let meta = request.json()["params"]["_meta"].take();
            assert_eq!(meta[format!("{KEY}protocolVersion")], "2026-07-28");
            assert_eq!(meta[format!("{KEY}clientInfo")]["name"], "test");
            assert!(meta[format!("{KEY}clientCapabilities")].is_object());
        }
    }
}

#[tokio::test]
async fn session_id_of_a_modern_server_is_ignored() {
    let server = upstream::modern().tool("search").intercept(|request| {
        request.is("server/discover").then(|| {
            let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
            let result = json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
            });
            let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
            Reply::json(message.to_string()).header("mcp-session-id", "s-1")
        })
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, ["search"]);
    client.call("search", json!({})).await;
    assert!(client.close().await.success());
    for request in server.raw.requests() {
        assert_eq!(request.header("mcp-session-id"), None, "{request:?}");
        assert_eq!(request.method, "POST");
    }
}

#[tokio::test]
async fn rejected_header_relists_tools_and_retries_the_call_once() {
    let server = upstream::modern()
        .tool("search")
        .capabilities(r#"{"tools":{}}"#)
        .start()
        .await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, ["search"]);

    // From now on the server requires a header, without a list change notification.
    let schema = json!({
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    });
    let tool = json!({"name": "search", "inputSchema": schema}).to_string();
    server.set_tools([tool.as_str()]);
    let response = client.call("search", json!({"region": "eu"})).await;

    assert_eq!(text_of(&response), r#"search {"region":"eu"}"#);
    let requests = server.raw.requests();
    let calls: Vec<_> = requests.iter().filter(|r| r.is("tools/call")).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].header("mcp-param-region"), Some("eu"));
    assert_ne!(calls[0].id_bytes(), calls[1].id_bytes(), "a new id");
    assert_eq!(count(&requests, "tools/list"), 2);
    assert_eq!(server.calls().len(), 1, "the tool ran once");
}

#[tokio::test]
async fn header_rejected_twice_fails_the_call() {
    let server = upstream::modern().tool("search").intercept(|request| {
        let mismatch = || rejection(request, -32020, &json!({"n": 1}));
        request.is("tools/call").then(mismatch)
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("search", json!({})).await;
    let message = "`a` did not answer `tools/call`: the server rejects the headers made from the \
        arguments (error -32020); report this to its operator";
    assert_eq!(response["error"]["message"], message);
    assert_eq!(response["error"]["data"]["outcome"], "not run");
    assert_eq!(count(&server.raw.requests(), "tools/call"), 2);
}

#[tokio::test]
async fn other_errors_of_a_call_are_forwarded_and_not_retried() {
    for (status, code) in [(400, -32602), (404, -32601), (400, -32021), (500, -32603)] {
        let server = upstream::modern().tool("search").intercept(move |request| {
            let rejection = || rejection(request, code, &json!({"n": 1})).with_status(status);
            request.is("tools/call").then(rejection)
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let response = client.call("search", json!({})).await;
        let expected = json!({"code": code, "message": "refused", "data": {"n": 1}});
        assert_eq!(response["error"], expected);
        assert_eq!(count(&server.raw.requests(), "tools/call"), 1, "{code}");
    }
}

#[tokio::test]
async fn server_that_drops_the_revision_is_probed_again() {
    let rolled_back = Arc::new(AtomicBool::new(false));
    let is_back = rolled_back.clone();
    let unsupported = |request: &Request| {
        let data = json!({"supported": ["2025-11-25"], "requested": "2026-07-28"});
        rejection(request, -32022, &data)
    };
    let server = upstream::legacy().tool("search").intercept(move |request| {
        if is_back.load(Ordering::Relaxed) {
            let modern = request.header("mcp-protocol-version") == Some("2026-07-28");
            return modern.then(|| unsupported(request));
        }
        let result = match request.rpc_method().as_str() {
            "server/discover" => json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
            }),
            _ => json!({"tools": [{"name": "search", "inputSchema": {"type": "object"}}]}),
        };
        Some(Reply::json(answer(request, &result)))
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    rolled_back.store(true, Ordering::Relaxed);
    let response = client.call("search", json!({"q": 1})).await;
    assert_eq!(text_of(&response), r#"search {"q":1}"#);
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn event_stream_may_carry_messages_before_the_response() {
    let server = upstream::modern().tool("slow").on_call(|call| async move {
        call.send(log_message("begun")).await;
        crate::transports::text_result("done")
            .to_string()
            .into_bytes()
    });
    let server = server.sse_replies().start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(text_of(&response), "done");
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "begun");
}

#[tokio::test]
async fn broken_modern_stream_is_not_resumed() {
    let server = upstream::modern().tool("slow").intercept(|request| {
        let first = format!("id: 1\nretry: 5\ndata: {}\n\n", log_message("begun"));
        let cut = || Reply::sse([first]).broken_off();
        request.is("tools/call").then(cut)
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(response["error"]["data"]["outcome"], "unknown");
    let requests = server.raw.requests();
    assert_eq!(count(&requests, "tools/call"), 1);
    assert!(requests.iter().all(|request| request.method == "POST"));
}

#[tokio::test]
async fn broken_call_is_resent_only_if_the_tool_is_idempotent() {
    let cases = [
        (json!({}), false),
        (json!({"readOnlyHint": false}), false),
        (json!({"readOnlyHint": true}), true),
        (json!({"idempotentHint": true}), true),
    ];
    for (annotations, repeatable) in cases {
        let schema = json!({"type": "object"});
        let tool = json!({"name": "t", "inputSchema": schema, "annotations": annotations});
        let cut = AtomicBool::new(false);
        let server = upstream::modern().tool_raw(&tool.to_string());
        let server = server.intercept(move |request| {
            let first = request.is("tools/call") && !cut.swap(true, Ordering::Relaxed);
            first.then(|| Reply::sse([event("")]).broken_off())
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let response = client.call("t", json!({})).await;
        match repeatable {
            true => assert_eq!(text_of(&response), "t {}", "{annotations}"),
            false => assert_eq!(response["error"]["data"]["outcome"], "unknown"),
        }
        let calls = count(&server.raw.requests(), "tools/call");
        assert_eq!(calls, 1 + usize::from(repeatable), "{annotations}");
    }
}
