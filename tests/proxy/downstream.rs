//! The client's side: each line on stdin gets the response that JSON-RPC and MCP require.
//! The next line is served, whatever came before.

use serde_json::{Value, json};
use testkit::proxy::Client;
use testkit::raw::{self, Reply};
use testkit::{proxy, upstream};

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":"p","result":{}}"#;

/// Sends a line and a ping. Returns the first response, and checks that the second is the pong.
async fn exchange_then_ping(client: &mut Client, line: impl AsRef<[u8]>) -> Value {
    client.send_line(line).await;
    client.send_line(PING).await;
    let response = client.next_line().await;
    assert_eq!(
        String::from_utf8_lossy(&client.next_line().await),
        PONG,
        "after {}",
        String::from_utf8_lossy(&response)
    );
    serde_json::from_slice(&response).unwrap()
}

/// Sends a line, and checks that it gets no response.
async fn assert_no_response(client: &mut Client, line: &str) {
    let pong = exchange_then_ping(client, format!("{line}\n{PING}")).await;
    assert_eq!(pong, pong_value(), "after {line}");
}

fn pong_value() -> Value {
    serde_json::from_str(PONG).unwrap()
}

fn initialize(version: &Value) -> Value {
    let mut request = testkit::http::initialize();
    request["params"]["protocolVersion"] = version.clone();
    request
}

#[tokio::test]
async fn initialize_does_not_wait_for_upstreams() {
    let silent = raw::server(|_| async { Reply::hang() });
    let mut client = proxy::new().upstream("silent", &silent).start().await;
    let result = client.initialize().await;
    assert_eq!(result["serverInfo"]["name"], "mcp-manifold");
    assert_eq!(
        result["capabilities"]["tools"],
        json!({"listChanged": true})
    );
    let discovered = client.modern("server/discover", json!({})).await;
    assert!(discovered["result"].is_object(), "{discovered}");
    // The upstream never responds, so neither handshake waited for it.
    silent
        .wait_for(|request| request.is("server/discover"))
        .await;
}

#[tokio::test]
async fn initialize_returns_requested_or_newest_handshake_version() {
    let mut client = proxy::disconnected().start().await;
    let newest = "2025-11-25";
    let cases = [
        (json!("2025-11-25"), "2025-11-25"),
        (json!("2025-06-18"), "2025-06-18"),
        (json!("2025-03-26"), "2025-03-26"),
        (json!("2024-11-05"), "2024-11-05"),
        (json!("2026-07-28"), newest),
        (json!("1999-01-01"), newest),
        (json!(""), newest),
        (json!(7), newest),
        (Value::Null, newest),
    ];
    for (requested, expected) in cases {
        let response = exchange_then_ping(&mut client, initialize(&requested).to_string()).await;
        assert_eq!(
            response["result"]["protocolVersion"], expected,
            "{requested}"
        );
    }
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
    let response = exchange_then_ping(&mut client, bare).await;
    assert_eq!(response["result"]["protocolVersion"], newest);
}

#[tokio::test]
async fn invalid_line_is_rejected_and_the_next_one_served() {
    let mut client = proxy::disconnected().start().await;
    let cases: [(&[u8], i64, Option<Value>); 17] = [
        (b"{", -32700, None),
        (b"hello", -32700, None),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}",
            -32700,
            None,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi",
            -32700,
            None,
        ),
        (b"Content-Length: 40", -32700, None),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
            -32700,
            None,
        ),
        (b"\xff\xfe\x00", -32700, None),
        (b"\x00", -32700, None),
        (b"[1", -32700, None),
        (b"{}", -32600, None),
        (b"{\"id\":7}", -32600, Some(json!(7))),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":5}",
            -32600,
            Some(json!("x")),
        ),
        (b"42", -32600, None),
        (b"null", -32600, None),
        (b"\"ping\"", -32600, None),
        (b"[]", -32600, None),
        (b"[[]]", -32600, None),
    ];
    for (line, code, id) in cases {
        let response = exchange_then_ping(&mut client, line).await;
        let line = String::from_utf8_lossy(line);
        assert_eq!(response["error"]["code"], code, "{line}: {response}");
        assert_eq!(response.get("id"), id.as_ref(), "{line}: {response}");
    }
    client.assert_every_line_is_json_rpc();
    assert_eq!(client.close().await.code(), Some(0));
}

#[tokio::test]
async fn white_space_blank_lines_and_byte_order_mark_are_ignored() {
    let mut client = proxy::disconnected().start().await;
    for line in ["", "   ", "\t\r"] {
        assert_no_response(&mut client, line).await;
    }
    for line in [
        format!("{PING}\r"),
        format!("  {PING}  "),
        format!("\u{feff}{PING}"),
    ] {
        assert_eq!(exchange_then_ping(&mut client, line).await, pong_value());
    }
}

#[tokio::test]
async fn requests_in_a_batch_get_separate_responses() {
    let up = upstream::legacy().tool("a").start().await;
    let mut client = proxy::new().upstream("up", &up).start().await;
    client.initialize().await;
    let call = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"a"}}"#;
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    client
        .send_line(format!("[{PING},{notification},{call},5]"))
        .await;
    assert_eq!(client.answer_to(r#""p""#).await, PONG.as_bytes());
    let response = client.answer_to(r#""c""#).await;
    assert!(String::from_utf8_lossy(&response).contains("a without arguments"));
    let rejected = client.next_line().await;
    assert!(String::from_utf8_lossy(&rejected).contains("-32600"));
    client.assert_every_line_is_json_rpc();
}

#[tokio::test]
async fn early_repeated_and_unknown_notifications_are_ignored() {
    let mut client = proxy::disconnected().start().await;
    let notifications = [
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/unknown","params":[1]}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":5,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"no"}}"#,
    ];
    for when in ["before", "after"] {
        for line in notifications {
            assert_no_response(&mut client, line).await;
        }
        let response =
            exchange_then_ping(&mut client, initialize(&json!("2025-11-25")).to_string()).await;
        assert!(response["result"].is_object(), "{when}: {response}");
    }
}

#[tokio::test]
async fn handshakes_may_repeat_in_any_order() {
    let up = upstream::modern().tool("a").start().await;
    let orders = [
        ["initialize", "server/discover", "initialize"],
        ["server/discover", "initialize", "server/discover"],
        ["initialize", "initialize", "server/discover"],
    ];
    for order in orders {
        let mut client = proxy::new().upstream("up", &up).start().await;
        for method in order {
            let response = match method {
                "initialize" => client.initialize().await,
                _ => client.modern(method, json!({})).await["result"].take(),
            };
            assert!(response.is_object(), "{method} of {order:?}: {response}");
        }
        let params = json!({"name": "a"});
        let legacy = client.request("tools/call", params.clone()).await;
        let modern = client.modern("tools/call", params).await;
        for response in [legacy, modern] {
            assert!(response["result"].is_object(), "{order:?}: {response}");
        }
        assert_eq!(client.close().await.code(), Some(0));
    }
}

#[tokio::test]
async fn requests_before_a_handshake_are_served_in_their_own_era() {
    let up = upstream::legacy().tool("a").start().await;
    let mut client = proxy::new().upstream("up", &up).start().await;
    let legacy = client.request("tools/list", json!({})).await;
    assert_eq!(legacy["result"]["tools"][0]["name"], "a", "{legacy}");
    assert_eq!(legacy["result"]["resultType"], Value::Null);
    let modern = client.modern("tools/list", json!({})).await;
    assert_eq!(modern["result"]["tools"][0]["name"], "a", "{modern}");
    assert_eq!(modern["result"]["resultType"], "complete");
}
