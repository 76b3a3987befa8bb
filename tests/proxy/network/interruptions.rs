//! Connections that end while a call is in progress.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::network::failure;
use crate::network::interceptor::Interceptor;
use testkit::json::answer;
use testkit::raw::{Reply, Request, event};
use testkit::{proxy, upstream};

/// How a connection ends after the whole call has arrived, and the expected code and outcome.
const ENDS: [(&str, i64, &str); 9] = [
    ("closed without a byte", -31004, "unknown"),
    ("reset without a byte", -31004, "unknown"),
    ("closed in the head", -31004, "unknown"),
    ("reset after the head", -31004, "unknown"),
    ("shorter than announced", -31004, "unknown"),
    ("reset in the body", -31004, "unknown"),
    ("cut between chunks", -31004, "unknown"),
    ("cut in an event", -31004, "unknown"),
    ("ended in an event", -31004, "unknown"),
];

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

async fn end(mut client: TcpStream, begun: Vec<u8>) {
    // The body is complete with its closing brace: the arguments contain none.
    let mut request = begun;
    while !request.ends_with(b"}") {
        if client.read_buf(&mut request).await.unwrap_or_default() == 0 {
            return;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let (name, ..) = ENDS.iter().find(|end| request.contains(end.0)).unwrap();
    let half = r#"{"jsonrpc":"2.0","id"#;
    let reply = match *name {
        "closed in the head" => "HTTP/1.1 200 OK\r\ncontent-ty".to_owned(),
        "reset after the head" => format!("{JSON}content-length: 500\r\n\r\n"),
        "shorter than announced" | "reset in the body" => {
            format!("{JSON}content-length: 500\r\n\r\n{half}")
        }
        "cut between chunks" => {
            format!(
                "{JSON}transfer-encoding: chunked\r\n\r\n{:x}\r\n{half}\r\n",
                half.len()
            )
        }
        "cut in an event" => format!("{EVENTS}transfer-encoding: chunked\r\n\r\n6\r\ndata: \r\n"),
        "ended in an event" => {
            format!("{EVENTS}transfer-encoding: chunked\r\n\r\n7\r\ndata: {{\r\n0\r\n\r\n")
        }
        _ => String::new(),
    };
    client.write_all(reply.as_bytes()).await.unwrap();
    if name.starts_with("reset") {
        // The proxy first reads the bytes before the reset.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        client.set_zero_linger().unwrap();
    }
}

#[tokio::test]
async fn call_cut_off_midway_arrived_once_and_has_unknown_outcome() {
    let server = upstream::modern().tool("pay").start().await;
    let interceptor = Interceptor::before(server.raw.address(), end).await;
    let mut client = proxy::before(&interceptor).await;
    assert_eq!(client.tool_names().await, ["pay"]);
    for (at, (name, code, outcome)) in (1..).zip(ENDS) {
        let failed = client.call("pay", json!({"how": name})).await;
        let (actual_code, actual_outcome, text) = failure(&failed);
        assert_eq!(
            (actual_code, actual_outcome),
            (code, outcome),
            "{name}: {text}"
        );
        assert_eq!(interceptor.calls(), at, "{name}");
        assert!(
            text.contains("check before you send it again"),
            "{name}: {text}"
        );
    }
}

#[tokio::test]
async fn no_call_arrives_twice_over_connections_closed_after_answers() {
    // No `Connection: close`, so the proxy may already send the next request on the same connection.
    let close = |request: &Request| {
        if !request.is("tools/call") {
            return None;
        }
        let body = answer(request, &json!({"content": [], "resultType": "complete"}));
        let length = body.len();
        let head = format!("{JSON}content-length: {length}\r\n\r\n");
        Some(Reply::raw(head + &body))
    };
    let server = upstream::modern()
        .tool("pay")
        .intercept(close)
        .start()
        .await;
    let mut client = proxy::before(&server).await;
    assert_eq!(client.tool_names().await, ["pay"]);
    for at in 0..200 {
        let answer = client.call("pay", json!({"at": at})).await;
        if answer["result"].is_null() {
            // A call sent on a closing connection may or may not have arrived.
            assert_eq!(failure(&answer).0, -31004, "{answer}");
        }
    }
    let calls = server.requests_of("tools/call");
    let mut numbers: Vec<_> = calls
        .iter()
        .map(|it| it.json()["params"]["arguments"]["at"].as_i64())
        .collect();
    let all = numbers.len();
    assert!(all > 100, "{all}");
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "a call arrived twice");
}

#[tokio::test]
async fn call_on_a_closing_connection_arrives_once() {
    // The server closes the connection after the head of a call.
    let server = upstream::modern().tool("pay").start().await;
    let interceptor = Interceptor::before(server.raw.address(), |mut client, _| async move {
        client.shutdown().await.unwrap();
    });
    let interceptor = interceptor.await;
    let mut client = proxy::before(&interceptor).await;
    assert_eq!(client.tool_names().await, ["pay"]);
    for at in 1..=20 {
        let failed = client.call("pay", json!({})).await;
        assert_eq!(failure(&failed).1, "unknown", "{failed}");
        assert_eq!(interceptor.calls(), at);
    }
}

/// Sends a call that is too large for the socket buffers, and returns the response.
async fn send_large_call(interceptor: &Interceptor) -> Value {
    let mut client = proxy::before(interceptor).await;
    assert_eq!(client.tool_names().await, ["pay"]);
    let large = "x".repeat(8 << 20);
    client.call("pay", json!({"text": large})).await
}

#[tokio::test]
async fn response_before_the_request_was_read_is_forwarded() {
    let server = upstream::modern().tool("pay").start().await;
    let interceptor = Interceptor::before(server.raw.address(), |mut client, _| async move {
        let reply =
            "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        client.write_all(reply.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        // The proxy continues to send until it has read the response.
        let mut rest = vec![0; 64 << 10];
        while client.read(&mut rest).await.is_ok_and(|length| length > 0) {}
    });
    let interceptor = interceptor.await;
    let failed = send_large_call(&interceptor).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31005, "not run"), "{text}");
    assert!(text.contains("HTTP 413"), "{text}");
}

#[tokio::test]
async fn reset_while_sending_the_request_leaves_the_outcome_unknown() {
    let server = upstream::modern().tool("pay").start().await;
    let interceptor = Interceptor::before(server.raw.address(), |client, _| async move {
        client.set_zero_linger().unwrap();
    });
    let interceptor = interceptor.await;
    let failed = send_large_call(&interceptor).await;
    let (code, outcome, text) = failure(&failed);
    assert_eq!((code, outcome), (-31004, "unknown"), "{text}");
    assert_eq!(interceptor.calls(), 1);
}

#[tokio::test]
async fn incomplete_event_is_an_interruption() {
    let half = |request: &Request| {
        if !request.is("tools/call") {
            return None;
        }
        let whole = event(answer(request, &json!({"content": []})));
        let half = whole[..whole.len() - 1].to_vec();
        Some(Reply::sse([half]))
    };
    let server = upstream::legacy().tool("pay").intercept(half).start().await;
    let mut client = proxy::before(&server).await;
    assert_eq!(client.tool_names().await, ["pay"]);
    let failed = client.call("pay", json!({})).await;
    assert_eq!(failure(&failed).0, -31004, "{failed}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}
