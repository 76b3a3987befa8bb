//! A client that does not read its answers: they wait at their servers.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use testkit::gate::Gate;
use testkit::upstream::{self, Upstream};
use testkit::{proxy, within};

/// How much memory a process has had at most, and has now, in MiB.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |key: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        let kib = line.trim().trim_end_matches(" kB").trim();
        kib.parse::<u64>().unwrap() >> 10
    };
    (of("VmHWM:"), of("VmRSS:"))
}

/// Has many large answers ready at once, and reads none of them until the proxy takes in no more.
async fn assert_bounded(server: &Upstream, gate: &Gate) {
    let builder = proxy::new().upstream("a", server);
    let builder = builder.env("PROXY_ANSWER_MEMORY", "8M");
    let mut child = builder.command().stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = String::new();
    for id in 0..CALLS {
        let call = proxy::call_line(&id.to_string(), r#"{"name":"large","arguments":{}}"#);
        lines.push_str(&format!("{call}\n"));
    }
    let sent = stdin.write_all(lines.as_bytes());
    within("the proxy to read", sent).await.unwrap();
    let calls = server
        .raw
        .wait_for_count(CALLS, |request| request.is("tools/call"));
    calls.await;
    gate.open();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let began = stdout.fill_buf();
    within("an answer to begin", began).await.unwrap();
    // Nobody reads on, so it takes in what it will and rests.
    let rested = async {
        let (mut seen, mut times) = (0, 0);
        while times < 10 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let (_, now) = memory(pid);
            times = if now == seen { times + 1 } else { 0 };
            seen = now;
        }
    };
    within("the proxy to rest", rested).await;
    let mut answered = Vec::new();
    for _ in 0..CALLS {
        let mut line = Vec::new();
        let read = stdout.read_until(b'\n', &mut line);
        within("an answer", read).await.unwrap();
        assert!(
            line.len() > BYTES && line.ends_with(b"]}}\n"),
            "{}",
            line.len()
        );
        // Not parsed, as they are large.
        let head = String::from_utf8_lossy(&line[..64]).replace(' ', "");
        let (_, id) = head.split_once("\"id\":").unwrap();
        let id = id.split(',').next().unwrap();
        answered.push(id.parse::<u64>().unwrap());
    }
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..CALLS as u64));
    let (most, _) = memory(pid);
    // Beside what waits: eight that are being read, and what each connection has read ahead.
    assert!(most < CALLS as u64 * (BYTES as u64 >> 20) / 2, "{most} MiB");
}

/// Many large answers: 384 MiB in all.
const CALLS: usize = 96;
const BYTES: usize = 4 << 20;

#[tokio::test]
async fn answers_wait_at_their_servers_while_the_client_does_not_read() {
    for sse in [false, true] {
        let gate = Gate::closed();
        let large = json!({"content": [{"type": "text", "text": "x".repeat(BYTES)}]}).to_string();
        let server = upstream::legacy().tool("large");
        let server = server.holding(&gate, |request| request.is("tools/call"));
        let mut server = server.reply_with(move |_| large.clone().into_bytes());
        if sse {
            server = server.sse_replies();
        }
        assert_bounded(&server.start().await, &gate).await;
    }
}
