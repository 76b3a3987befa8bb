//! Logs on stderr: one line for each upstream by default, each step of a message with `DEBUG=1`.

use serde_json::json;
use testkit::proxy::Client;
use testkit::raw::{self, Reply};
use testkit::{proxy, upstream};

/// Runs an ordinary session: a listing, calls that succeed and fail, a ping and an invalid line.
async fn run_session(client: &mut Client) {
    client.initialize().await;
    client.tools().await;
    for name in ["good", "bad", "unknown"] {
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

/// Adds a tool that succeeds and one that fails.
fn good_and_bad(kind: upstream::Builder) -> upstream::Builder {
    let kind = kind.tool("good").tool("bad");
    kind.intercept(|request| (request.tool() == "bad").then(|| Reply::status(500)))
}

#[tokio::test]
async fn ordinary_session_logs_one_line_per_upstream() {
    let up = good_and_bad(upstream::legacy()).start().await;
    let down = raw::server(|_| async { Reply::hang() });
    down.stop().await;
    for (name, value) in [("DEBUG", "0"), ("DEBUG", ""), ("RUST_LOG", "")] {
        let mut client = proxy::new()
            .upstream("up", &up)
            .upstream("down", &down)
            .env(name, value)
            .start()
            .await;
        run_session(&mut client).await;
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
        assert!(lines[1].ends_with("name=down"), "{stderr}");
    }
}

#[tokio::test]
async fn debug_logs_each_step_of_a_message_but_no_content() {
    let up = good_and_bad(upstream::modern()).start().await;
    let mut client = proxy::new()
        .upstream("up", &up)
        .env("DEBUG", "1")
        .start()
        .await;
    run_session(&mut client).await;
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
            "method=tools/call",
            "id=3",
            "subject=\"good\"",
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
            "subject=\"bad\"",
        ],
        &["rejecting a line"],
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
async fn rust_log_overrides_debug() {
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
        run_session(&mut client).await;
        let stderr = client.stderr();
        assert_eq!(stderr.contains("RUST_LOG: not used"), filter == "=!=");
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
