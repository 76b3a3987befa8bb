//! What stands on stderr: little by default, every message's way with `DEBUG=1`, never a secret,
//! and no line but the proxy's own.

// A failure here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::proxy::Client;
use support::raw::{self, Reply, event};
use support::{Endpoint, proxy, upstream};

/// Lists, calls well and badly, pings and leaves; everything that happens in a usual session.
async fn session(client: &mut Client) {
    client.initialize().await;
    client.tools().await;
    for name in ["good", "bad", "unheard-of"] {
        client
            .call(name, json!({"secret": "in-the-arguments"}))
            .await;
    }
    client.request("ping", json!({})).await;
    client
        .notify("notifications/roots/list_changed", json!({}))
        .await;
    client.send_line("not JSON").await;
    assert_eq!(client.close().await.code(), Some(0));
    client.assert_every_line_is_json_rpc();
}

/// An upstream with a tool that answers and one that fails.
fn good_and_bad(kind: upstream::Builder) -> upstream::Builder {
    let kind = kind.tool("good").tool("bad");
    kind.intercept(|request| (request.tool() == "bad").then(|| Reply::status(500)))
}

#[tokio::test]
async fn a_usual_session_says_one_line_an_upstream() {
    let up = good_and_bad(upstream::legacy()).start().await;
    let gone = raw::server(|_| async { Reply::hang() });
    gone.stop().await;
    for (name, value) in [("DEBUG", "0"), ("DEBUG", ""), ("RUST_LOG", "")] {
        let mut client = proxy::new()
            .upstream("up", &up)
            .upstream("gone", &gone)
            .env(name, value)
            .start()
            .await;
        session(&mut client).await;
        let stderr = client.stderr();
        let mut lines: Vec<_> = stderr.lines().map(str::trim).collect();
        lines.sort_unstable();
        assert_eq!(lines.len(), 2, "{stderr}");
        assert!(lines[0].starts_with("INFO upstream: connected"), "{stderr}");
        assert!(lines[0].ends_with("name=up"), "{stderr}");
        assert!(
            lines[1].starts_with("WARN upstream: not connected"),
            "{stderr}"
        );
        assert!(lines[1].ends_with("name=gone"), "{stderr}");
    }
}

#[tokio::test]
async fn debug_shows_the_way_of_every_message_but_not_what_it_says() {
    let up = good_and_bad(upstream::modern()).start().await;
    let mut client = proxy::new()
        .upstream("up", &up)
        .env("DEBUG", "1")
        .start()
        .await;
    session(&mut client).await;
    let stderr = client.stderr();
    let steps: [&[&str]; 9] = [
        &["received", "method=initialize", "id=1", "bytes="],
        &["received", "method=notifications/initialized"],
        &["received", "method=tools/list", "id=2"],
        &["received", "method=tools/call", "id=3", "bytes="],
        &[
            "forwarding",
            "upstream=up",
            "serial=",
            "bytes=",
            "method=\"tools/call\"",
            "id=3",
            "tool=\"good\"",
        ],
        &[
            "answered",
            "upstream=up",
            "status=\"ok\"",
            "duration=",
            "sent=",
            "received=",
            "id=3",
        ],
        &[
            "failed",
            "`up`",
            "HTTP 500",
            "duration=",
            "id=4",
            "tool=\"bad\"",
        ],
        &["refusing a line"],
        &["shutting down", "the client closed stdin"],
    ];
    for step in steps {
        let holds = |line: &str| step.iter().all(|part| line.contains(part));
        assert!(stderr.lines().any(holds), "no {step:?} in\n{stderr}");
    }
    for line in stderr.lines() {
        assert!(
            line.starts_with("20") && line.contains('Z'),
            "no time in {line}"
        );
    }
    assert!(!stderr.contains("in-the-arguments"), "{stderr}");
    assert!(!stderr.contains("good {"), "{stderr}");
}

#[tokio::test]
async fn rust_log_has_the_last_word() {
    let up = good_and_bad(upstream::legacy()).start().await;
    let cases = [
        ("off", "1", false, false),
        ("mcp_manifold=warn", "1", false, false),
        ("mcp_manifold=debug", "0", true, true),
        ("mcp_manifold=info", "1", true, false),
        ("=!=", "0", true, false),
    ];
    for (filter, debug, connected, forwarding) in cases {
        let mut client = proxy::new()
            .upstream("up", &up)
            .env("RUST_LOG", filter)
            .env("DEBUG", debug)
            .start()
            .await;
        session(&mut client).await;
        let stderr = client.stderr();
        assert_eq!(
            stderr.contains("connected era"),
            connected,
            "{filter}: {stderr}"
        );
        assert_eq!(
            stderr.contains("forwarding"),
            forwarding,
            "{filter}: {stderr}"
        );
    }
}

/// An address with a key in its query.
struct WithSecrets(String);

impl Endpoint for WithSecrets {
    fn url(&self) -> String {
        format!("{}?api_key=key-in-query", self.0)
    }
}

#[tokio::test]
async fn secrets_stay_out_of_every_level() {
    // The scripted servers know only their own path.
    let (legacy, modern) = (secretive(true), secretive(false));
    let gone = raw::server(|_| async { Reply::hang() });
    gone.stop().await;
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
        ("gone", gone.url()),
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
    for name in ["gone", "signed-out", "moved"] {
        client.wait_for_stderr(&format!("name={name}")).await;
    }
    assert_eq!(client.close().await.code(), Some(0));
    client.assert_every_line_is_json_rpc();
    // The secrets were there to be told: the upstreams got them.
    let call = legacy.wait_for(|request| request.is("tools/call")).await;
    assert_eq!(call.header("x-api-key"), Some("key-in-header"));
    assert_eq!(call.header("authorization"), Some("Bearer token-in-header"));
    assert_eq!(call.header("mcp-session-id"), Some("id-of-session"));
    assert!(call.path.ends_with("?api_key=key-in-query"));
    let stderr = client.stderr();
    assert!(stderr.contains("TRACE"), "{stderr}");
    let stdout = client.received().concat();
    let said = format!("{stderr}{}", String::from_utf8_lossy(&stdout));
    for secret in [
        "token-in-header",
        "key-in-header",
        "key-in-query",
        "id-of-session",
        "code-in-redirect",
        "session-1",
    ] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "`{secret}` was told");
    }
}

/// A small server of its own, since the scripted ones refuse a path with a query.
fn secretive(legacy: bool) -> raw::Server {
    raw::server(move |request| async move {
        if request.method != "POST" {
            return Reply::status(405);
        }
        let Some(id) = request.id_bytes() else {
            return Reply::status(202);
        };
        let id: Value = serde_json::from_slice(&id).unwrap();
        let name = if legacy { "legacy" } else { "modern" };
        let facts = json!({"protocolVersion": "2025-11-25", "supportedVersions": ["2026-07-28"], "capabilities": {}});
        let result = match (request.rpc_method().as_str(), legacy) {
            ("initialize", true) | ("server/discover", false) => facts,
            ("tools/list", _) => json!({"tools": [{"name": name, "inputSchema": {}}]}),
            ("tools/call", _) => json!({"content": [], "resultType": "complete"}),
            _ => return Reply::status(400),
        };
        let body = json!({"jsonrpc": "2.0", "id": id, "result": result});
        Reply::json(body.to_string()).header("mcp-session-id", "id-of-session")
    })
}

/// What would end a line and begin another, and paint it.
const FORGED: &str = "x\n FORGED line\r\u{1b}[31m\u{9b}2J\u{7}";

#[tokio::test]
async fn nobody_but_the_proxy_writes_a_line_or_moves_the_cursor() {
    let error = json!({"code": -32000, "message": FORGED});
    let version = json!({"protocolVersion": FORGED, "capabilities": {}, "serverInfo": {}});
    let schema = json!({"properties": {"p": {"type": "string", "x-mcp-header": FORGED}}});
    let tool = json!({"name": FORGED, "inputSchema": schema}).to_string();
    let refuses = upstream::legacy().intercept(move |request| {
        let id: Value = serde_json::from_slice(&request.id_bytes()?).ok()?;
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": version});
        request
            .is("initialize")
            .then(|| Reply::json(answer.to_string()))
    });
    let fails = upstream::legacy().tool("a").intercept(move |request| {
        let id: Value = serde_json::from_slice(&request.id_bytes()?).ok()?;
        let answer = json!({"jsonrpc": "2.0", "id": id, "error": error});
        request
            .is("tools/list")
            .then(|| Reply::json(answer.to_string()))
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
        let answer = [
            br#"{"jsonrpc":"2.0","id":"#,
            &id[..],
            br#","result":{"content":[]}}"#,
        ];
        let odd = "event: \u{1b}[31m\ndata: 1\n\n".as_bytes().to_vec();
        (request.tool() == "e").then(|| Reply::sse([odd, event(answer.concat())]))
    });
    let (refuses, fails) = (refuses.start().await, fails.start().await);
    let (odd_tool, talks) = (odd_tool.start().await, talks.start().await);
    let (odd_status, odd_event) = (odd_status.start().await, odd_event.start().await);
    for filter in ["mcp_manifold=info", "trace"] {
        let mut client = proxy::new()
            .upstream("refuses", &refuses)
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
        for name in ["refuses", "fails", "odd-tool"] {
            client.wait_for_stderr(&format!("name={name}")).await;
        }
        assert_eq!(client.close().await.code(), Some(0));
        let stderr = client.stderr();
        assert!(stderr.contains("FORGED"), "nothing was tried: {stderr}");
        for line in stderr.lines() {
            let ours = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
            let word = line.split_whitespace().next().unwrap_or_default();
            assert!(ours.contains(&word), "{filter}: forged: {line:?}\n{stderr}");
            let control = line.chars().find(|c| c.is_control());
            assert_eq!(control, None, "{filter}: {line:?}");
        }
    }
}
