//! A client that does not read what it is told: it keeps neither answers from arriving later
//! nor the process from its end.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::upstream::{self, Upstream};
use testkit::{proxy, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// A proxy whose only upstream is a port where nothing listens: the client's side is all that counts.
fn alone() -> proxy::Builder {
    proxy::new().upstream("away", "http://127.0.0.1:1/mcp")
}

fn ping(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}

/// A proxy whose stdout is read by nobody but the test itself.
fn unread(builder: &proxy::Builder) -> (Child, ChildStdout) {
    let mut command = builder.command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

async fn write(child: &mut Child, lines: impl IntoIterator<Item = Value>) {
    let mut text = String::new();
    for line in lines {
        text.push_str(&format!("{line}\n"));
    }
    let stdin = child.stdin.as_mut().unwrap();
    within("the proxy to read", stdin.write_all(text.as_bytes()))
        .await
        .unwrap();
}

/// More than any pipe holds.
const LARGE: usize = 2 << 20;

/// An upstream whose answer fills the pipe to the client.
async fn large() -> Upstream {
    let large = upstream::legacy().tool("large");
    let answer = json!({"content": [{"type": "text", "text": "x".repeat(LARGE)}]});
    large
        .reply_with(move |_| answer.to_string().into())
        .start()
        .await
}

fn call(id: u64, name: &str) -> Value {
    let params = json!({"name": name});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

/// Calls `large`, and reads the first byte of the answer, which comes back: the rest fills the pipe.
async fn begin_large(child: &mut Child, stdout: &mut ChildStdout) -> Vec<u8> {
    write(child, [call(1, "large")]).await;
    let mut text = vec![0; 1];
    within("the answer to begin", stdout.read_exact(&mut text))
        .await
        .unwrap();
    text
}

#[tokio::test]
async fn responses_in_flight_when_stdin_closes_arrive_whole() {
    let upstream = large().await;
    let builder = proxy::new().upstream("large", &upstream);
    let (mut child, mut stdout) = unread(&builder);
    let mut text = begin_large(&mut child, &mut stdout).await;
    write(&mut child, [ping(2)]).await;
    child.stdin = None;
    within("stdout to end", stdout.read_to_end(&mut text))
        .await
        .unwrap();
    let lines: Vec<_> = text.trim_ascii_end().split(|&byte| byte == b'\n').collect();
    assert_eq!(lines.len(), 2);
    let answer: Value = serde_json::from_slice(lines[0]).unwrap();
    assert_eq!(answer["id"], 1);
    let ping: Value = serde_json::from_slice(lines[1]).unwrap();
    assert_eq!(ping["id"], 2);
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn client_that_stops_reading_does_not_keep_the_process_alive() {
    let upstream = large().await;
    let builder = proxy::new().upstream("large", &upstream);
    let (mut child, mut stdout) = unread(&builder);
    write(&mut child, (1..=4).map(|id| call(id, "large"))).await;
    within("an answer to begin", stdout.read_u8())
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
    // Whether there is still something to write, or all was read.
    for reads in [false, true] {
        let (mut child, mut stdout) = unread(&builder);
        write(&mut child, [testkit::http::initialize()]).await;
        if reads {
            let answer = stdout.read_u8();
            within("an answer", answer).await.unwrap();
        }
        drop(stdout);
        let mut stderr = child.stderr.take().unwrap();
        // stdin stays open, which waiting would close: it is the end of stdout that counts.
        let stdin = child.stdin.take();
        let status = within("the proxy to exit", child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0));
        drop(stdin);
        let mut said = String::new();
        stderr.read_to_string(&mut said).await.unwrap();
        assert_eq!(said.matches("INFO").count(), said.lines().count(), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn closed_stdout_socket_ends_the_process() {
    for reads in [false, true] {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut stdout = tokio::net::UnixStream::from_std(ours).unwrap();
        let builder = alone();
        let mut command = builder.command();
        command.stdin(Stdio::piped());
        command.stdout(std::os::fd::OwnedFd::from(theirs));
        let mut child = command.spawn().unwrap();
        // It has a copy of their end.
        drop(command);
        write(&mut child, [testkit::http::initialize()]).await;
        if reads {
            within("an answer", stdout.read_u8()).await.unwrap();
        }
        // Half of it is still a reader.
        stdout.shutdown().await.unwrap();
        write(&mut child, [ping(2)]).await;
        if reads {
            let mut text = Vec::new();
            while !text.ends_with(b"\"id\":2,\"result\":{}}\n") {
                let more = stdout.read_buf(&mut text);
                assert!(within("the other answer", more).await.unwrap() > 0);
            }
        }
        drop(stdout);
        // It stays open, which waiting would close.
        let stdin = child.stdin.take();
        let status = within("the proxy to exit", child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0));
        drop(stdin);
    }
}

/// Asks until the proxy reads no further, since nobody reads what it says. Should it take longer
/// than this to come there, it has more to do later, and a test proves less.
async fn ask_until_stuck(stdin: &mut ChildStdin) {
    let lines: String = (0..1000).map(|id| format!("{}\n", ping(id))).collect();
    let asking = async { while stdin.write_all(lines.as_bytes()).await.is_ok() {} };
    let stuck = tokio::time::timeout(Duration::from_secs(1), asking).await;
    assert!(stuck.is_err(), "the proxy has closed stdin");
}

#[cfg(unix)]
#[tokio::test]
async fn signal_ends_the_process_of_a_client_that_only_writes() {
    let builder = alone();
    let (mut child, _stdout) = unread(&builder);
    let mut stdin = child.stdin.take().unwrap();
    ask_until_stuck(&mut stdin).await;
    let mut kill = tokio::process::Command::new("kill");
    kill.args(["-TERM", &child.id().unwrap().to_string()]);
    assert!(kill.status().await.unwrap().success());
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn client_that_only_writes_does_not_keep_the_process_alive() {
    let builder = alone();
    let (mut child, _stdout) = unread(&builder);
    let mut stdin = child.stdin.take().unwrap();
    ask_until_stuck(&mut stdin).await;
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
    let (mut child, mut stdout) = unread(&builder);
    let mut text = begin_large(&mut child, &mut stdout).await;
    write(&mut child, [call(2, "large")]).await;
    let calls = |request: &testkit::raw::Request| request.is("tools/call");
    server.raw.wait_for_count(2, calls).await;
    // Long enough for a ping, and for giving the stream up.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut lines = 0;
    while lines < 2 {
        let read = stdout.read_buf(&mut text);
        within("the answers", read).await.unwrap();
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
