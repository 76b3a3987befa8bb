//! The client's stdin and stdout: long and oversized lines, files, sockets and `/dev/null`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::{proxy, upstream, within};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn line_of_16_mib_is_forwarded_unchanged() {
    let up = upstream::legacy()
        .tool("take")
        .reply_with(|_| br#"{"content":[]}"#.to_vec());
    let up = up.start().await;
    let mut client = proxy::new().upstream("up", &up).start().await;
    client.initialize().await;
    client.tools().await;
    let text = "x".repeat(16 * MIB);
    let params = format!(r#"{{"name":"take","arguments":{{"text":"{text}"}}}}"#);
    let line =
        format!(r#"{{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{params}}}"#);
    let response = client.exchange(line, r#""long""#).await;
    assert_eq!(
        response,
        br#"{"jsonrpc":"2.0","id":"long","result":{"content":[]}}"#
    );
    let body = &up.wait_for_calls(1).await[0];
    assert!(
        body.ends_with(format!("{params}}}").as_bytes()),
        "{} bytes",
        body.len()
    );
}

#[tokio::test]
async fn oversized_line_is_rejected_with_remedy_and_next_is_served() {
    const LIMIT: usize = 100_000;
    let mut client = proxy::disconnected()
        .env("PROXY_MAX_MESSAGE_BYTES", LIMIT.to_string())
        .start()
        .await;
    let ping_of_length = |length: usize| {
        let line = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_": ""}});
        let padding = length - line.to_string().len();
        let line = line
            .to_string()
            .replace(r#""_":"""#, &format!(r#""_":"{}""#, "x".repeat(padding)));
        assert_eq!(line.len(), length);
        line
    };
    for length in [LIMIT, LIMIT + 1, 10 * LIMIT, LIMIT] {
        client.send_line(ping_of_length(length)).await;
        let response = client.next_line().await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        if length == LIMIT {
            assert_eq!(response, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
        } else {
            let text =
                "the line exceeds 100000 bytes; raise PROXY_MAX_MESSAGE_BYTES to let it pass";
            assert_eq!(response["error"], json!({"code": -32600, "message": text}));
            assert_eq!(response.get("id"), None);
        }
    }
    assert_eq!(client.close().await.code(), Some(0));
}

#[tokio::test]
async fn lines_may_arrive_in_pieces_or_many_at_once() {
    let mut client = proxy::disconnected().start().await;
    let ping = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string();
    for byte in format!("{}\n", ping(0)).bytes() {
        client.send_bytes(&[byte]).await;
    }
    let lines: Vec<_> = (1..2000).map(ping).collect();
    client.send_bytes(lines.join("\n").as_bytes()).await;
    // The last line has no line break: it is served when stdin closes.
    client.close().await;
    let responses = client.received();
    let expected = |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into_bytes();
    assert_eq!(responses.len(), 2000);
    for (id, response) in responses.iter().enumerate() {
        assert_eq!(*response, expected(id));
    }
}

/// The input of a client that does not wait for responses.
fn client_input() -> String {
    let initialize = testkit::http::initialize();
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    format!("{initialize}\n{ping}\n")
}

fn response_ids(stdout: &[u8]) -> Vec<Value> {
    let lines = stdout.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let id = |line| serde_json::from_slice::<Value>(line).unwrap()["id"].take();
    lines.map(id).collect()
}

#[tokio::test]
async fn stdin_and_stdout_may_be_files() {
    let builder = proxy::disconnected();
    let mut stdin = tempfile::tempfile().unwrap();
    stdin.write_all(client_input().as_bytes()).unwrap();
    std::io::Seek::rewind(&mut stdin).unwrap();
    let stdout = tempfile::NamedTempFile::new().unwrap();
    let mut command = builder.command();
    command.stdin(stdin).stdout(stdout.reopen().unwrap());
    let status = within("the proxy to exit", command.status()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(response_ids(&std::fs::read(stdout.path()).unwrap()), [1, 2]);
}

#[cfg(unix)]
#[tokio::test]
async fn stdin_and_stdout_may_be_one_socket() {
    use std::os::fd::OwnedFd;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let builder = proxy::disconnected();
    let (client_end, proxy_end) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = builder.command();
    let proxy_end_copy = proxy_end.try_clone().unwrap();
    command
        .stdin(OwnedFd::from(proxy_end))
        .stdout(OwnedFd::from(proxy_end_copy));
    let mut child = command.spawn().unwrap();
    // The command holds the proxy's end too.
    drop(command);
    client_end.set_nonblocking(true).unwrap();
    let mut client_end = tokio::net::UnixStream::from_std(client_end).unwrap();
    client_end
        .write_all(client_input().as_bytes())
        .await
        .unwrap();
    client_end.shutdown().await.unwrap();
    let mut output = Vec::new();
    within("the socket to end", client_end.read_to_end(&mut output))
        .await
        .unwrap();
    assert_eq!(response_ids(&output), [1, 2]);
    let status = within("the proxy to exit", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn null_stdin_ends_the_process_quietly() {
    let builder = proxy::disconnected();
    let mut command = builder.command();
    let output = command.stdin(Stdio::null()).output();
    let output = within("the proxy to exit", output).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[tokio::test]
async fn instructions_of_all_upstreams_are_truncated_to_2_kib() {
    let instructions = |head: &str| format!("{head} {}", "and so on ".repeat(1000));
    let first = upstream::modern()
        .tool("a")
        .instructions(&instructions("FIRST HEAD"));
    let second = upstream::legacy()
        .tool("b")
        .instructions(&instructions("SECOND HEAD"));
    let third = upstream::legacy()
        .tool("c")
        .instructions("Third, in short.");
    let (first, second, third) = (
        first.start().await,
        second.start().await,
        third.start().await,
    );
    let mut client = proxy::new()
        .upstream("one", &first)
        .upstream("two", &second)
        .upstream("three", &third)
        .start()
        .await;
    // The initial listing waits for all upstreams.
    assert_eq!(client.tool_names().await, ["a", "b", "c"]);
    let discovered = client.modern("server/discover", json!({})).await;
    let initialized = client.initialize().await;
    let text = discovered["result"]["instructions"].as_str().unwrap();
    assert_eq!(initialized["instructions"], text);
    assert!(text.len() <= 2048, "{} bytes", text.len());
    for part in [
        "one, two, three",
        "one: FIRST HEAD",
        "two: SECOND HEAD",
        "three: Third, in short.",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}
