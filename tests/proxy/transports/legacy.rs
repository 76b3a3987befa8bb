//! Streamable HTTP of 2025-03-26 to 2025-11-25: headers, responses of both types, and the session.

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::transports::{count, log_message, text_result};
use testkit::json::{answer, text_of};
use testkit::raw::{self, Reply, event};
use testkit::{proxy, upstream};

#[tokio::test]
async fn requests_after_initialize_name_the_session_and_version() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;
    client.call("search", json!({})).await;
    server.raw.wait_for(|request| request.method == "GET").await;
    assert!(client.close().await.success());

    let requests = server.raw.requests();
    let first = requests
        .iter()
        .position(|request| request.is("initialize"))
        .unwrap();
    assert_eq!(requests[first].header("mcp-session-id"), None);
    let later = &requests[first + 1..];
    for request in later {
        assert_eq!(request.header("mcp-session-id"), Some("session-1"));
        let version = request.header("mcp-protocol-version");
        assert_eq!(version, Some("2025-11-25"), "{request:?}");
        assert_eq!(request.header("mcp-method"), None, "{request:?}");
    }
    for method in ["notifications/initialized", "tools/list", "tools/call"] {
        assert_eq!(count(later, method), 1, "{method}");
    }
    let ends = later
        .iter()
        .filter(|request| request.method == "DELETE")
        .count();
    assert_eq!(ends, 1, "one DELETE ends the session");
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn post_accepts_json_and_events_and_get_events_only() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, ["search"]);

    let get = server.raw.wait_for(|request| request.method == "GET").await;
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    assert_eq!(get.header("last-event-id"), None);
    for request in server.raw.requests() {
        if request.method == "POST" {
            let accepted = request.header("accept").unwrap();
            for kind in ["application/json", "text/event-stream"] {
                assert!(accepted.contains(kind), "{accepted}");
            }
            assert_eq!(request.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn responses_may_be_json_or_event_streams() {
    for sse in [false, true] {
        let server = upstream::legacy().tool("search").tool("find").page_size(1);
        let server = if sse { server.sse_replies() } else { server };
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;

        assert_eq!(client.tool_names().await, ["search", "find"]);
        let response = client.call("find", json!({"q": 1})).await;
        assert_eq!(text_of(&response), r#"find {"q":1}"#);
    }
}

#[tokio::test]
async fn response_stream_messages_precede_the_response_in_order() {
    let server = upstream::legacy().tool("slow").on_call(|call| async move {
        for n in 1..=20 {
            call.send(log_message(&n.to_string())).await;
        }
        text_result("done").to_string().into_bytes()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["slow"]).await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(text_of(&response), "done");

    let lines = client.received();
    let received: Vec<String> = lines
        .iter()
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter_map(|line| line["params"]["data"].as_str().map(str::to_owned))
        .collect();
    let expected: Vec<_> = (1..=20).map(|n| n.to_string()).collect();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn server_without_sessions_gets_no_session_id() {
    let server = raw::server(|request| async move {
        match (request.method.as_str(), request.rpc_method().as_str()) {
            ("POST", "initialize") => {
                let info = json!({"name": "raw", "version": "1"});
                let result = json!({
                    "protocolVersion": "2025-06-18",
                    "capabilities": {"tools": {}},
                    "serverInfo": info,
                });
                Reply::json(answer(&request, &result))
            }
            ("POST", "tools/list") => {
                let tools = json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]});
                Reply::json(answer(&request, &tools))
            }
            ("POST", "tools/call") => Reply::json(answer(&request, &text_result("ok"))),
            ("POST", "notifications/initialized") => Reply::status(202),
            ("POST", _) => Reply::status(400),
            _ => Reply::status(405),
        }
    });
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("t", json!({})).await;
    assert_eq!(text_of(&response), "ok");
    server.wait_for(|request| request.method == "GET").await;
    assert!(client.close().await.success());

    for request in server.requests() {
        assert_eq!(request.header("mcp-session-id"), None, "{request:?}");
        assert_ne!(request.method, "DELETE");
    }
}

#[tokio::test]
async fn expired_session_is_replaced_and_the_call_runs_once() {
    let server = upstream::legacy()
        .tool("search")
        .without_server_stream()
        .start()
        .await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    server.expire_sessions();
    let response = client.call("search", json!({"q": 1})).await;
    assert_eq!(text_of(&response), r#"search {"q":1}"#);
    assert_eq!(server.calls().len(), 1);
    let requests = server.raw.requests();
    let initializations: Vec<_> = requests
        .iter()
        .filter(|request| request.is("initialize"))
        .collect();
    assert_eq!(initializations.len(), 2);
    assert_eq!(initializations[1].header("mcp-session-id"), None);
    let last = requests.iter().rfind(|request| request.is("tools/call"));
    assert_eq!(last.unwrap().header("mcp-session-id"), Some("session-2"));
}

#[tokio::test]
async fn batches_of_2025_03_26_are_split() {
    for sse in [false, true] {
        let server = upstream::legacy().versions(["2025-03-26"]).tool("search");
        let server = server.intercept(move |request| {
            request.is("tools/call").then(|| {
                let response = answer(request, &text_result("batched"));
                let batch = format!(" [ {} , {response} ] ", log_message("first"));
                match sse {
                    true => Reply::sse([event(batch)]),
                    false => Reply::json(batch),
                }
            })
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        client.wait_for_tools(&["search"]).await;

        let response = client.call("search", json!({})).await;
        assert_eq!(text_of(&response), "batched", "sse: {sse}");
        let first = client.notification("notifications/message").await;
        assert_eq!(first["params"]["data"], "first");
        client.assert_every_line_is_json_rpc();
    }
}

#[tokio::test]
async fn rejected_session_delete_does_not_delay_the_shutdown() {
    let server = upstream::legacy().tool("search");
    let server = server
        .intercept(|request| (request.method == "DELETE").then(|| Reply::status(405)))
        .start()
        .await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    assert_eq!(client.tool_names().await, ["search"]);
    assert!(client.close().await.success());
    server
        .raw
        .wait_for(|request| request.method == "DELETE")
        .await;
}

#[tokio::test]
async fn server_losing_every_session_is_retried_with_backoff() {
    for status in [404, 500] {
        let server = upstream::legacy().tool("search").intercept(move |request| {
            let rejection = || Reply::status(status);
            request.is("tools/list").then(rejection)
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        assert_eq!(client.tool_names().await, [""; 0]);
        client.wait_for_stderr("retry_in").await;
        let initializations = count(&server.raw.requests(), "initialize");
        assert!(
            initializations <= 3,
            "{status}: {initializations} sessions opened"
        );
    }
}

#[tokio::test]
async fn session_rejected_by_error_message_is_replaced() {
    let forgotten = Arc::new(Mutex::new(None::<String>));
    let forgotten_session = forgotten.clone();
    let server = upstream::legacy().tool("work").intercept(move |request| {
        let rejection = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}"#;
        let session = request.header("mcp-session-id")?;
        let is_forgotten = forgotten_session.lock().unwrap().as_deref() == Some(session);
        is_forgotten.then(|| Reply::json(rejection).with_status(400))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.call("work", json!({})).await;
    let session = server.raw.requests().into_iter().rev();
    let session = session
        .into_iter()
        .find_map(|r| r.header("mcp-session-id").map(str::to_owned));
    *forgotten.lock().unwrap() = Some(session.unwrap());
    let response = client.call("work", json!({})).await;
    assert!(response["result"].is_object(), "{response}");
    assert_eq!(
        server.calls().len(),
        2,
        "one call before the rejection and one after"
    );
    let initialized = server
        .raw
        .requests()
        .iter()
        .filter(|r| r.is("initialize"))
        .count();
    assert_eq!(initialized, 2);
}
