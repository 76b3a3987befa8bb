//! Logs contain no secret at any level, and text from outside cannot forge a log line.

use serde_json::{Value, json};
use testkit::raw::{self, Reply, event};
use testkit::{Endpoint, proxy, upstream};

/// An address with a secret in its query.
struct WithSecrets(String);

impl Endpoint for WithSecrets {
    fn url(&self) -> String {
        format!("{}?api_key=key-in-query", self.0)
    }
}

#[tokio::test]
async fn secrets_are_logged_at_no_level() {
    // The scripted servers accept only their own path.
    let (legacy, modern) = (server_with_query(true), server_with_query(false));
    let down = raw::server(|_| async { Reply::hang() });
    down.stop().await;
    let signed_out = raw::server(|_| async { Reply::status(401) });
    let moved = raw::server(|_| async {
        Reply::status(307).header(
            "location",
            "https://elsewhere.example/?code=code-in-redirect",
        )
    });
    let http_sse = upstream::http_sse().tool("sse").start().await;
    let headers = json!({"headers": {
        "Authorization": "Bearer token-in-header",
        "X-Api-Key": "key-in-header",
    }});
    let mut proxy = proxy::new().env("RUST_LOG", "trace").env("DEBUG", "1");
    for (name, url) in [
        ("legacy", legacy.url()),
        ("modern", modern.url()),
        ("down", down.url()),
        ("signed-out", signed_out.url()),
        ("moved", moved.url()),
    ] {
        proxy = proxy
            .upstream(name, &WithSecrets(url))
            .extra(name, headers.clone());
    }
    proxy = proxy
        .upstream("http-sse", &http_sse)
        .extra("http-sse", headers);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["legacy", "modern", "sse"]);
    for name in ["legacy", "modern", "sse"] {
        client.call(name, json!({})).await;
    }
    for name in ["down", "signed-out", "moved"] {
        client.wait_for_stderr(&format!("name={name}")).await;
    }
    assert_eq!(client.close().await.code(), Some(0));
    client.assert_every_line_is_json_rpc();
    // The secrets were in use: the upstreams received them.
    let call = legacy.wait_for(|request| request.is("tools/call")).await;
    assert_eq!(call.header("x-api-key"), Some("key-in-header"));
    assert_eq!(call.header("authorization"), Some("Bearer token-in-header"));
    assert_eq!(call.header("mcp-session-id"), Some("id-of-session"));
    assert!(call.path.ends_with("?api_key=key-in-query"));
    let stderr = client.stderr();
    assert!(stderr.contains("TRACE"), "{stderr}");
    let stdout = client.received().concat();
    let output = format!("{stderr}{}", String::from_utf8_lossy(&stdout));
    for secret in [
        "token-in-header",
        "key-in-header",
        "key-in-query",
        "id-of-session",
        "code-in-redirect",
        "session-1",
    ] {
        let line = output.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "`{secret}` was logged");
    }
}

/// Starts a server that accepts a path with a query, which the scripted ones refuse.
fn server_with_query(legacy: bool) -> raw::Server {
    raw::server(move |request| async move {
        if request.method != "POST" {
            return Reply::status(405);
        }
        let Some(id) = request.id_bytes() else {
            return Reply::status(202);
        };
        let id: Value = serde_json::from_slice(&id).unwrap();
        let name = if legacy { "legacy" } else { "modern" };
        let handshake_result = json!({"protocolVersion": "2025-11-25", "supportedVersions": ["2026-07-28"], "capabilities": {}});
        let result = match (request.rpc_method().as_str(), legacy) {
            ("initialize", true) | ("server/discover", false) => handshake_result,
            ("tools/list", _) => json!({"tools": [{"name": name, "inputSchema": {}}]}),
            ("tools/call", _) => json!({"content": [], "resultType": "complete"}),
            _ => return Reply::status(400),
        };
        let body = json!({"jsonrpc": "2.0", "id": id, "result": result});
        Reply::json(body.to_string()).header("mcp-session-id", "id-of-session")
    })
}

/// Text with line breaks and terminal control characters.
const FORGED: &str = "x\n FORGED line\r\u{1b}[31m\u{9b}2J\u{7}";

#[tokio::test]
async fn untrusted_text_forges_no_log_line_or_terminal_control() {
    let error = json!({"code": -32000, "message": FORGED});
    let version = json!({"protocolVersion": FORGED, "capabilities": {}, "serverInfo": {}});
    let schema = json!({"properties": {"p": {"type": "string", "x-mcp-header": FORGED}}});
    let tool = json!({"name": FORGED, "inputSchema": schema}).to_string();
    let rejects = upstream::legacy().intercept(move |request| {
        let id: Value = serde_json::from_slice(&request.id_bytes()?).ok()?;
        let response = json!({"jsonrpc": "2.0", "id": id, "result": version});
        request
            .is("initialize")
            .then(|| Reply::json(response.to_string()))
    });
    let fails = upstream::legacy().tool("a").intercept(move |request| {
        let id: Value = serde_json::from_slice(&request.id_bytes()?).ok()?;
        let response = json!({"jsonrpc": "2.0", "id": id, "error": error});
        request
            .is("tools/list")
            .then(|| Reply::json(response.to_string()))
    });
    let odd_tool = upstream::modern().tool("b").tool_raw(&tool);
    let talks = upstream::legacy().tool("c").on_call(|call| async move {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": FORGED});
        call.send(request.to_string()).await;
        let notification = json!({"jsonrpc": "2.0", "method": FORGED});
        call.send(notification.to_string()).await;
        br#"{"content":[]}"#.to_vec()
    });
    let odd_status = upstream::legacy().tool("d").intercept(|request| {
        let reason = "HTTP/1.1 418 odd\u{1b}[31m\r\ncontent-length: 0\r\n\r\n";
        (request.tool() == "d").then(|| Reply::raw(reason))
    });
    let odd_event = upstream::legacy().tool("e").intercept(|request| {
        let id = request.id_bytes()?;
        let response = [
            br#"{"jsonrpc":"2.0","id":"#,
            &id[..],
            br#","result":{"content":[]}}"#,
        ];
        let odd = "event: \u{1b}[31m\ndata: 1\n\n".as_bytes().to_vec();
        (request.tool() == "e").then(|| Reply::sse([odd, event(response.concat())]))
    });
    let (rejects, fails) = (rejects.start().await, fails.start().await);
    let (odd_tool, talks) = (odd_tool.start().await, talks.start().await);
    let (odd_status, odd_event) = (odd_status.start().await, odd_event.start().await);
    for filter in ["mcp_manifold=info", "trace"] {
        let mut client = proxy::new()
            .upstream("rejects", &rejects)
            .upstream("fails", &fails)
            .upstream("odd-tool", &odd_tool)
            .upstream("talks", &talks)
            .upstream("odd-status", &odd_status)
            .upstream("odd-event", &odd_event)
            .env("RUST_LOG", filter)
            .start()
            .await;
        client.initialize().await;
        client.tools().await;
        for name in ["b", "c", "d", "e", FORGED] {
            client.call(name, json!({"_": FORGED})).await;
        }
        client.notify(FORGED, json!({})).await;
        client.request(FORGED, json!({})).await;
        for name in ["rejects", "fails", "odd-tool"] {
            client.wait_for_stderr(&format!("name={name}")).await;
        }
        assert_eq!(client.close().await.code(), Some(0));
        let stderr = client.stderr();
        assert!(
            stderr.contains("FORGED"),
            "the text was not logged: {stderr}"
        );
        for line in stderr.lines() {
            let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
            let level = line.split_whitespace().next().unwrap_or_default();
            assert!(
                levels.contains(&level),
                "{filter}: forged: {line:?}\n{stderr}"
            );
            let control = line.chars().find(|c| c.is_control());
            assert_eq!(control, None, "{filter}: {line:?}");
        }
    }
}
