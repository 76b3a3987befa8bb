//! Backpressure: while a client does not read, responses wait at their servers.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use testkit::gate::Gate;
use testkit::upstream::{self, Upstream};
use testkit::{proxy, within};

/// Returns the peak and the current resident memory of a process, in MiB.
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

/// Makes many large responses ready at once, and reads them only after the proxy's memory is stable.
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
    let first_bytes = stdout.fill_buf();
    within("an answer to begin", first_bytes).await.unwrap();
    // The client does not read, so the proxy fills its buffers and stops.
    let settled = async {
        let (mut seen, mut times) = (0, 0);
        while times < 10 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let (_, now) = memory(pid);
            times = if now == seen { times + 1 } else { 0 };
            seen = now;
        }
    };
    within("stable memory", settled).await;
    let mut ids = Vec::new();
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
        ids.push(id.parse::<u64>().unwrap());
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..CALLS as u64));
    let (most, _) = memory(pid);
    // Besides the waiting responses: eight large bodies in progress, and the read buffer of each connection.
    assert!(most < CALLS as u64 * (BYTES as u64 >> 20) / 2, "{most} MiB");
}

/// Many large responses: 384 MiB in total.
const CALLS: usize = 96;
const BYTES: usize = 4 << 20;

#[tokio::test]
async fn responses_wait_at_servers_while_the_client_does_not_read() {
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
