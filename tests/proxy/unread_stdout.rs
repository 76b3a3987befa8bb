//! A client that does not read stdout. It receives the responses when it reads on, and does not
//! keep the process alive.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::upstream::{self, Upstream};
use testkit::{proxy, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

fn ping(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}

/// Starts a proxy whose stdout is read only by the test itself.
fn start_unread(builder: &proxy::Builder) -> (Child, ChildStdout) {
    let mut command = builder.command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

async fn write_lines(child: &mut Child, lines: impl IntoIterator<Item = Value>) {
    let mut text = String::new();
    for line in lines {
        text.push_str(&format!("{line}\n"));
    }
    let stdin = child.stdin.as_mut().unwrap();
    within("the proxy to read", stdin.write_all(text.as_bytes()))
        .await
        .unwrap();
}

/// The length of a response that no pipe can buffer, in bytes.
const LARGE: usize = 2 << 20;

/// Starts an upstream whose response fills the pipe to the client.
async fn large_server() -> Upstream {
    let large = upstream::legacy().tool("large");
    let response = json!({"content": [{"type": "text", "text": "x".repeat(LARGE)}]});
    large
        .reply_with(move |_| response.to_string().into())
        .start()
        .await
}

fn call(id: u64, name: &str) -> Value {
    let params = json!({"name": name});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

/// Calls `large`, and returns the first byte of the response. The rest fills the pipe.
async fn start_large_response(child: &mut Child, stdout: &mut ChildStdout) -> Vec<u8> {
    write_lines(child, [call(1, "large")]).await;
    let mut text = vec![0; 1];
    within("the response to begin", stdout.read_exact(&mut text))
        .await
        .unwrap();
    text
}

#[tokio::test]
async fn responses_in_flight_when_stdin_closes_arrive_whole() {
    let upstream = large_server().await;
    let builder = proxy::new().upstream("large", &upstream);
    let (mut child, mut stdout) = start_unread(&builder);
    let mut text = start_large_response(&mut child, &mut stdout).await;
    write_lines(&mut child, [ping(2)]).await;
    child.stdin = None;
    within("stdout to end", stdout.read_to_end(&mut text))
        .await
        .unwrap();
    let lines: Vec<_> = text.trim_ascii_end().split(|&byte| byte == b'\n').collect();
    assert_eq!(lines.len(), 2);
    let response: Value = serde_json::from_slice(lines[0]).unwrap();
    assert_eq!(response["id"], 1);
    let ping: Value = serde_json::from_slice(lines[1]).unwrap();
    assert_eq!(ping["id"], 2);
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn client_that_stops_reading_does_not_keep_the_process_alive() {
    let upstream = large_server().await;
    let builder = proxy::new().upstream("large", &upstream);
    let (mut child, mut stdout) = start_unread(&builder);
    write_lines(&mut child, (1..=4).map(|id| call(id, "large"))).await;
    within("a response to begin", stdout.read_u8())
        .await
        .unwrap();
    child.stdin = None;
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn closed_stdout_ends_the_process_quietly() {
    let upstream = upstream::legacy().tool("a").start().await;
    let builder = proxy::new().upstream("up", &upstream);
    // The client closes stdout before the first response, or after it.
    for reads in [false, true] {
        let (mut child, mut stdout) = start_unread(&builder);
        write_lines(&mut child, [testkit::http::initialize()]).await;
        if reads {
            let response = stdout.read_u8();
            within("a response", response).await.unwrap();
        }
        drop(stdout);
        let mut stderr = child.stderr.take().unwrap();
        // `wait` would close stdin. It stays open, so that only stdout ends.
        let stdin = child.stdin.take();
        let status = within("the proxy to exit", child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0));
        drop(stdin);
        let mut logged = String::new();
        stderr.read_to_string(&mut logged).await.unwrap();
        assert_eq!(
            logged.matches("INFO").count(),
            logged.lines().count(),
            "{logged}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn closed_stdout_socket_ends_the_process() {
    for reads in [false, true] {
        let (client_end, proxy_end) = std::os::unix::net::UnixStream::pair().unwrap();
        client_end.set_nonblocking(true).unwrap();
        let mut stdout = tokio::net::UnixStream::from_std(client_end).unwrap();
        let builder = proxy::disconnected();
        let mut command = builder.command();
        command.stdin(Stdio::piped());
        command.stdout(std::os::fd::OwnedFd::from(proxy_end));
        let mut child = command.spawn().unwrap();
        // The command holds a copy of the proxy's end.
        drop(command);
        write_lines(&mut child, [testkit::http::initialize()]).await;
        if reads {
            within("a response", stdout.read_u8()).await.unwrap();
        }
        // The read half stays open.
        stdout.shutdown().await.unwrap();
        write_lines(&mut child, [ping(2)]).await;
        if reads {
            let mut text = Vec::new();
            while !text.ends_with(b"\"id\":2,\"result\":{}}\n") {
                let more = stdout.read_buf(&mut text);
                assert!(within("the second response", more).await.unwrap() > 0);
            }
        }
        drop(stdout);
        // `wait` would close stdin.
        let stdin = child.stdin.take();
        let status = within("the proxy to exit", child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0));
        drop(stdin);
    }
}

/// Sends pings until the proxy stops reading, because stdout is full. A proxy that is not yet blocked
/// after this time has more to write later, and the test proves less.
async fn send_until_blocked(stdin: &mut ChildStdin) {
    let lines: String = (0..1000).map(|id| format!("{}\n", ping(id))).collect();
    let sending = async { while stdin.write_all(lines.as_bytes()).await.is_ok() {} };
    let outcome = tokio::time::timeout(Duration::from_secs(1), sending).await;
    assert!(outcome.is_err(), "the proxy has closed stdin");
}

#[cfg(unix)]
#[tokio::test]
async fn signal_ends_the_process_of_a_client_that_only_writes() {
    let builder = proxy::disconnected();
    let (mut child, _stdout) = start_unread(&builder);
    let mut stdin = child.stdin.take().unwrap();
    send_until_blocked(&mut stdin).await;
    let mut kill = tokio::process::Command::new("kill");
    kill.args(["-TERM", &child.id().unwrap().to_string()]);
    assert!(kill.status().await.unwrap().success());
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn client_that_only_writes_does_not_keep_the_process_alive() {
    let builder = proxy::disconnected();
    let (mut child, _stdout) = start_unread(&builder);
    let mut stdin = child.stdin.take().unwrap();
    send_until_blocked(&mut stdin).await;
    drop(stdin);
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn event_stream_paused_by_backpressure_is_not_closed() {
    let server = upstream::http_sse()
        .tool("large")
        .result("ping", "{}")
        .reply_with(|_| {
            let large = json!({"content": [{"type": "text", "text": "x".repeat(LARGE)}]});
            large.to_string().into()
        });
    let server = server.start().await;
    let builder = proxy::new().upstream("large", &server);
    let builder = builder
        .env("PROXY_ANSWER_MEMORY", "1")
        .env("PROXY_KEEP_ALIVE", "300ms");
    let (mut child, mut stdout) = start_unread(&builder);
    let mut text = start_large_response(&mut child, &mut stdout).await;
    write_lines(&mut child, [call(2, "large")]).await;
    let calls = |request: &testkit::raw::Request| request.is("tools/call");
    server.raw.wait_for_count(2, calls).await;
    // Long enough for a ping to time out and the stream to be closed.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut lines = 0;
    while lines < 2 {
        let read = stdout.read_buf(&mut text);
        within("the responses", read).await.unwrap();
        lines = text.iter().filter(|&&byte| byte == b'\n').count();
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        text.matches("\"result\"").count(),
        2,
        "{:.200}",
        text.lines().last().unwrap()
    );
    let streams = server.raw.requests().into_iter();
    assert_eq!(streams.filter(|request| request.method == "GET").count(), 1);
}
