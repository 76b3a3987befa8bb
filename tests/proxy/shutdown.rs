//! Shutdown: the proxy cancels calls, ends sessions and delivers the responses that are ready.
//! A server that hangs does not keep the process alive.

use serde_json::{Value, json};
use testkit::proxy;
use testkit::proxy::Client;
use testkit::raw::{self, Reply};
use testkit::upstream::{self, Call, Upstream};

/// Never responds to a call.
async fn never_respond(_: Call) -> Vec<u8> {
    std::future::pending().await
}

/// A client with a call in flight to an upstream of each kind. A fourth upstream never responds.
struct InFlight {
    client: Client,
    legacy: Upstream,
    modern: Upstream,
    http_sse: Upstream,
    silent: raw::Server,
}

async fn start_calls() -> InFlight {
    let legacy = upstream::legacy()
        .tool("a")
        .on_call(never_respond)
        .start()
        .await;
    let modern = upstream::modern()
        .tool("b")
        .on_call(never_respond)
        .start()
        .await;
    let http_sse = upstream::http_sse()
        .tool("c")
        .on_call(never_respond)
        .start()
        .await;
    let silent = raw::server(|_| async { Reply::hang() });
    let mut client = proxy::new()
        .upstream("legacy", &legacy)
        .upstream("modern", &modern)
        .upstream("http-sse", &http_sse)
        .upstream("silent", &silent)
        .start()
        .await;
    client.initialize().await;
    for name in ["a", "b", "c"] {
        client
            .send_request("tools/call", json!({"name": name}))
            .await;
    }
    for upstream in [&legacy, &modern, &http_sse] {
        upstream.wait_for_calls(1).await;
    }
    silent
        .wait_for(|request| request.is("server/discover"))
        .await;
    InFlight {
        client,
        legacy,
        modern,
        http_sse,
        silent,
    }
}

impl InFlight {
    /// Waits for the exit, and checks that all calls were cancelled and all sessions ended.
    async fn assert_orderly_shutdown(mut self) {
        let status = self.client.wait().await;
        assert_eq!(status.code(), Some(0), "{}", self.client.stderr());
        for upstream in [&self.legacy, &self.http_sse] {
            let cancelled: Value =
                serde_json::from_slice(&upstream.wait_for_cancelled().await).unwrap();
            let call: Value = serde_json::from_slice(&upstream.calls()[0]).unwrap();
            assert_eq!(cancelled["params"]["requestId"], call["id"], "{cancelled}");
        }
        self.modern.wait_for_cancelled().await;
        let deleted = self
            .legacy
            .raw
            .wait_for(|request| request.method == "DELETE");
        let deleted = deleted.await;
        assert_eq!(deleted.header("mcp-session-id"), Some("session-1"));
        assert_eq!(deleted.header("mcp-protocol-version"), Some("2025-11-25"));
        assert_eq!(self.legacy.sessions(), 0);
        self.silent.wait_for_disconnect().await;
        // The calls got no response: the only line is the response to `initialize`.
        assert_eq!(self.client.received().len(), 1);
        let stderr = self.client.stderr();
        assert!(!stderr.contains("panic"), "{stderr}");
    }
}

#[tokio::test]
async fn closed_stdin_cancels_calls_closes_sessions_and_exits() {
    let mut calls = start_calls().await;
    calls.client.close_stdin();
    calls.assert_orderly_shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn signal_cancels_calls_closes_sessions_and_exits() {
    let shutdowns = ["TERM", "INT", "HUP"].map(async |signal| {
        let calls = start_calls().await;
        calls.client.signal(signal).await;
        calls.assert_orderly_shutdown().await;
    });
    futures_util::future::join_all(shutdowns).await;
}

#[cfg(unix)]
#[tokio::test]
async fn killed_parent_ends_the_proxy_though_pipes_stay_open() {
    let legacy = upstream::legacy().tool("a").start().await;
    let builder = proxy::new().upstream("legacy", &legacy);
    let mut client = builder.env("DEBUG", "1").start_by_a_shell().await;
    client.initialize().await;
    client.wait_for_tools(&["a"]).await;
    // The test still holds stdin, stdout and stderr.
    client.kill().await;
    legacy
        .raw
        .wait_for(|request| request.method == "DELETE")
        .await;
    // stdout and stderr end when the proxy has exited. Its status cannot be read.
    client.wait().await;
    assert_eq!(legacy.sessions(), 0);
    let stderr = client.stderr();
    assert!(stderr.contains("the parent process has exited"));
    assert!(!stderr.contains("panic"), "{stderr}");
}

#[tokio::test]
async fn hanging_upstream_does_not_prevent_the_exit() {
    let hangs = upstream::legacy().tool("a").on_call(never_respond);
    let hangs = hangs.intercept(|request| {
        let end = request.method == "DELETE" || request.is("notifications/cancelled");
        end.then(Reply::hang)
    });
    let hangs = hangs.start().await;
    let mut client = proxy::new().upstream("hangs", &hangs).start().await;
    client.initialize().await;
    client
        .send_request("tools/call", json!({"name": "a"}))
        .await;
    hangs.wait_for_calls(1).await;
    assert_eq!(client.close().await.code(), Some(0));
    hangs.wait_for_cancelled().await;
    hangs
        .raw
        .wait_for(|request| request.method == "DELETE")
        .await;
}

#[tokio::test]
async fn silent_client_causes_no_upstream_connection() {
    let idle = upstream::legacy().tool("a").start().await;
    let mut client = proxy::new().upstream("idle", &idle).start().await;
    assert_eq!(client.close().await.code(), Some(0));
    assert_eq!(idle.raw.connections(), 0);
    assert_eq!(client.stderr(), "");
}

#[tokio::test]
async fn requests_sent_before_stdin_closes_are_answered() {
    let mut client = proxy::disconnected().start().await;
    let initialize = testkit::http::initialize();
    let lines = format!("{initialize}\n{}\n{}", ping(2), ping(3));
    client.send_bytes(lines.as_bytes()).await;
    assert_eq!(client.close().await.code(), Some(0));
    let lines: Vec<Value> = client
        .received()
        .iter()
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let ids: Vec<_> = lines.iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3]);
}

fn ping(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}
