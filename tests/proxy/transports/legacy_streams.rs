//! The event streams of a legacy upstream: the standalone stream, and response streams that break
//! off and are resumed (MCP 2025-11-25 § Resumability and Redelivery).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::transports::{count, log_message, text_result};
use testkit::json::{answer, text_of};
use testkit::raw::{Reply, Request, event};
use testkit::{proxy, upstream};

#[tokio::test]
async fn standalone_stream_opens_after_initialize_and_is_forwarded() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;

    let params = r#"{"level":"info","data":"unasked"}"#;
    server.notify("notifications/message", params).await;
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "unasked");
    let requests = server.raw.requests();
    let at = |expected: &dyn Fn(&Request) -> bool| requests.iter().position(expected).unwrap();
    let get = at(&|request| request.method == "GET");
    assert!(at(&|request| request.is("notifications/initialized")) < get);
}

#[tokio::test]
async fn ended_standalone_stream_is_reopened() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["search"]).await;
    let get = |request: &Request| request.method == "GET";
    server.raw.wait_for(get).await;

    server.end_streams();
    server.raw.wait_for_count(2, get).await;
    let params = r#"{"level":"info","data":"again"}"#;
    server.notify("notifications/message", params).await;
    let received = client.notification("notifications/message").await;
    assert_eq!(received["params"]["data"], "again");
    assert_eq!(count(&server.raw.requests(), "initialize"), 1);
}

#[tokio::test]
async fn rejected_standalone_stream_is_not_retried() {
    // The specification requires 405. Some servers have no route for GET at all.
    for status in [405, 404, 400] {
        let server = upstream::legacy().tool("search");
        let server = server.intercept(move |request| {
            let rejection = || Reply::status(status);
            (request.method == "GET").then(rejection)
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        assert_eq!(client.tool_names().await, ["search"]);
        server.raw.wait_for(|request| request.method == "GET").await;
        for _ in 0..20 {
            let response = client.call("search", json!({})).await;
            assert_eq!(text_of(&response), "search {}", "{status}");
        }

        let requests = server.raw.requests();
        let gets = requests.iter().filter(|request| request.method == "GET");
        assert_eq!(gets.count(), 1, "{status}");
        assert_eq!(count(&requests, "initialize"), 1, "{status}");
    }
}

/// A server whose response streams break off `cuts` times, each time after an event with an id.
///
/// With `clean`, the body ends properly instead of with an error.
fn breaking_server(cuts: usize, clean: bool) -> upstream::Builder {
    let call: Arc<Mutex<Option<Request>>> = Arc::default();
    let server = upstream::legacy().tool("slow").without_server_stream();
    server.intercept(move |request| {
        let resumed = request.header("last-event-id").map(|id| {
            let id = id.strip_prefix("event ").unwrap();
            id.parse::<usize>().unwrap()
        });
        let at = match resumed {
            Some(at) => at,
            None if request.is("tools/call") => {
                *call.lock().unwrap() = Some(request.clone());
                0
            }
            None => return None,
        };
        if at == cuts {
            let call = call.lock().unwrap().clone().unwrap();
            return Some(Reply::sse([event(answer(&call, &text_result("resumed")))]));
        }
        let next = at + 1;
        let log = log_message(&format!("part {next}"));
        let part = format!("id: event {next}\nretry: 5\ndata: {log}\n\n");
        let reply = Reply::sse([part]);
        Some(if clean { reply } else { reply.broken_off() })
    })
}

#[tokio::test]
async fn broken_response_stream_resumes_after_the_last_event() {
    for clean in [false, true] {
        for cuts in [1, 3] {
            let server = breaking_server(cuts, clean).start().await;
            let mut client = proxy::new().upstream("a", &server).start().await;
            client.initialize().await;
            client.wait_for_tools(&["slow"]).await;

            let response = client.call("slow", json!({})).await;
            assert_eq!(text_of(&response), "resumed", "{cuts} cuts");
            for part in 1..=cuts {
                let received = client.notification("notifications/message").await;
                assert_eq!(received["params"]["data"], format!("part {part}"));
            }
            let requests = server.raw.requests();
            assert_eq!(count(&requests, "tools/call"), 1);
            let resumed: Vec<_> = requests
                .iter()
                .filter(|request| request.header("last-event-id").is_some())
                .collect();
            assert_eq!(resumed.len(), cuts);
            for request in resumed {
                assert_eq!(request.method, "GET");
                assert_eq!(request.header("accept"), Some("text/event-stream"));
                assert_eq!(request.header("mcp-session-id"), Some("session-1"));
            }
        }
    }
}

#[tokio::test]
async fn event_id_without_data_suffices_to_resume() {
    let call: Arc<Mutex<Option<Request>>> = Arc::default();
    let server = upstream::legacy().tool("slow").without_server_stream();
    let server = server.intercept(move |request| {
        if request.is("tools/call") {
            *call.lock().unwrap() = Some(request.clone());
            return Some(Reply::sse(["id: primed\nretry: 5\ndata:\n\n"]));
        }
        (request.header("last-event-id")? == "primed").then(|| {
            let call = call.lock().unwrap().clone().unwrap();
            Reply::sse([event(answer(&call, &text_result("polled")))])
        })
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(text_of(&response), "polled");
}

#[tokio::test]
async fn resume_waits_for_the_retry_delay_of_the_server() {
    // Longer than the proxy's own delay.
    const RETRY: Duration = Duration::from_millis(1300);
    let call: Arc<Mutex<Option<(Request, Instant)>>> = Arc::default();
    let server = upstream::legacy().tool("slow").without_server_stream();
    let server = server.intercept(move |request| {
        let mut call = call.lock().unwrap();
        if request.is("tools/call") {
            *call = Some((request.clone(), Instant::now()));
            let millis = RETRY.as_millis();
            return Some(Reply::sse([format!("id: 1\nretry: {millis}\ndata:\n\n")]));
        }
        request.header("last-event-id")?;
        let (call, begun) = call.clone().unwrap();
        let text = match begun.elapsed() >= RETRY {
            true => "in time",
            false => "too soon",
        };
        Some(Reply::sse([event(answer(&call, &text_result(text)))]))
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(text_of(&response), "in time");
}

#[tokio::test]
async fn retry_delay_of_a_day_is_limited_by_the_call_timeout() {
    let call: Arc<Mutex<Option<Request>>> = Arc::default();
    let server = upstream::legacy().tool("slow").without_server_stream();
    let server = server.intercept(move |request| {
        let mut call = call.lock().unwrap();
        if request.is("tools/call") {
            *call = Some(request.clone());
            return Some(Reply::sse(["id: 1\nretry: 86400000\ndata:\n\n"]));
        }
        request.header("last-event-id")?;
        let call = call.clone().unwrap();
        Some(Reply::sse([event(answer(&call, &text_result("polled")))]))
    });
    let server = server.start().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_TIMEOUT", "1s").start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(text_of(&response), "polled");
}

#[tokio::test]
async fn broken_response_without_event_id_fails_and_is_not_resumed() {
    for clean in [false, true] {
        let server = upstream::legacy().tool("slow").without_server_stream();
        let server = server.intercept(move |request| {
            let reply = Reply::sse([event(log_message("begun"))]);
            let reply = if clean { reply } else { reply.broken_off() };
            request.is("tools/call").then_some(reply)
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let response = client.call("slow", json!({})).await;

        let error = &response["error"];
        assert_eq!(error["data"]["outcome"], "unknown", "{response}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains("`a`"), "{text}");
        let requests = server.raw.requests();
        assert_eq!(count(&requests, "tools/call"), 1);
    }
}

#[tokio::test]
async fn stream_that_cannot_be_resumed_fails_the_call() {
    let server = upstream::legacy().tool("slow").without_server_stream();
    let server = server.intercept(|request| {
        let cut = || Reply::sse(["id: 1\nretry: 5\ndata:\n\n"]);
        request.is("tools/call").then(cut)
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let response = client.call("slow", json!({})).await;
    assert_eq!(response["error"]["data"]["outcome"], "unknown");
    assert_eq!(count(&server.raw.requests(), "tools/call"), 1);
}
