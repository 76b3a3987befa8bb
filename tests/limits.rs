//! Bounds of what is held: calls under way, calls that wait, answers for a slow client, and logs.

// A failure here is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use support::gate::Gate;
use support::proxy::{self, Client};
use support::upstream::{self, Upstream};
use support::within;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// The code of the error for too many calls.
const BUSY: i64 = -31008;

async fn held(gate: &Gate) -> Upstream {
    upstream::legacy().tool("work").held_by(gate).start().await
}

async fn send_calls(client: &mut Client, name: &str, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(client.send_call(name, json!({})).await);
    }
    ids
}

/// A server that asks the client something in the middle of a call of `ask`.
async fn asking() -> Upstream {
    let server = upstream::legacy().tool("ask").tool("work");
    let server = server.on_call(|call| async move {
        if call.request.tool() == "ask" {
            let form = r#"{"message":"?","requestedSchema":{"type":"object"}}"#;
            call.ask("1", "elicitation/create", form).await;
        }
        br#"{"content":[]}"#.to_vec()
    });
    server.start().await
}

fn assert_is_busy(answer: &Value, hint: &str) {
    let error = &answer["error"];
    assert_eq!(error["code"], BUSY, "{answer}");
    assert_eq!(error["data"]["outcome"], "not run", "{answer}");
    assert!(
        error["message"].as_str().unwrap().contains(hint),
        "{answer}"
    );
}

#[tokio::test]
async fn calls_over_the_bound_of_an_upstream_wait_for_their_turn() {
    let (gate, free) = (
        Gate::closed(),
        upstream::legacy().tool("other").start().await,
    );
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server).upstream("b", &free);
    let builder = builder.extra("a", json!({"max_calls": 2}));
    let mut client = builder.env("DEBUG", "1").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work", "other"]).await;
    let ids = send_calls(&mut client, "work", 5).await;
    server.wait_for_calls(2).await;
    // Another upstream has turns of its own, and its answer shows that the five were taken up.
    let answer = client.call("other", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.calls().len(), 2);
    gate.open();
    for id in ids {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn calls_over_the_bound_of_the_queue_are_refused_and_have_not_run() {
    let gate = Gate::closed();
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let builder = builder
        .env("PROXY_UPSTREAM_CALLS", "1")
        .env("PROXY_QUEUED_CALLS", "1");
    let mut client = builder.start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    server.wait_for_calls(1).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "max_calls");
    assert_eq!(refused["error"]["data"]["upstream"], "a");
    // One that is cancelled while it waits leaves its place to another.
    let cancelled = json!({"requestId": ids[1]});
    client.notify("notifications/cancelled", cancelled).await;
    let third = client.send_call("work", json!({})).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "max_calls");
    gate.open();
    for id in [ids[0], third] {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn requests_over_the_bound_in_all_are_refused_and_the_next_ones_served() {
    let gate = Gate::closed();
    let server = held(&gate).await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_MAX_CALLS", "2").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    let ids = send_calls(&mut client, "work", 2).await;
    let refused = client.call("work", json!({})).await;
    assert_is_busy(&refused, "PROXY_MAX_CALLS");
    // What we answer ourselves needs no place.
    let pong = client.request("ping", json!({})).await;
    assert!(pong["result"].is_object(), "{pong}");
    gate.open();
    for id in ids {
        client.response(id).await;
    }
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_call_that_waits_for_its_client_leaves_its_turn_to_others() {
    let server = asking().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.declare(json!({"elicitation": {}}));
    client.wait_for_tools(&["ask", "work"]).await;
    let parked = client
        .ask("tools/call", json!({"name": "ask", "arguments": {}}))
        .await;
    assert_eq!(parked["result"]["resultType"], "input_required", "{parked}");
    let answer = client
        .ask("tools/call", json!({"name": "work", "arguments": {}}))
        .await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
}

#[tokio::test]
async fn what_a_client_calls_to_answer_a_call_does_not_wait_for_that() {
    let server = asking().await;
    let builder = proxy::new().upstream("a", &server);
    let mut client = builder.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.initialize_with(json!({"elicitation": {}})).await;
    client.wait_for_tools(&["ask", "work"]).await;
    let asking = client.send_call("ask", json!({})).await;
    let asked = client.incoming_request("elicitation/create").await;
    let answer = client.call("work", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    client.respond(&asked, json!({"action": "decline"})).await;
    let answer = client.response(asking).await;
    assert!(answer["result"].is_object(), "{answer}");
}

/// How much memory a process has had at most, and has now, in MiB.
#[cfg(target_os = "linux")]
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
#[cfg(target_os = "linux")]
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

/// Many large answers: a quarter of a gigabyte in all.
#[cfg(target_os = "linux")]
const CALLS: usize = 64;
#[cfg(target_os = "linux")]
const BYTES: usize = 4 << 20;

#[cfg(target_os = "linux")]
#[tokio::test]
async fn answers_wait_at_their_servers_while_the_client_does_not_read() {
    for sse in [false, true] {
        let gate = Gate::closed();
        let large = json!({"content": [{"type": "text", "text": "x".repeat(BYTES)}]}).to_string();
        let held = gate.clone();
        let mut server = upstream::legacy().tool("large").guarded(move |request| {
            let gate = held.clone();
            async move {
                if request.is("tools/call") {
                    gate.passed().await;
                }
                None
            }
        });
        server = server.reply_with(move |_| large.clone().into_bytes());
        if sse {
            server = server.sse_replies();
        }
        assert_bounded(&server.start().await, &gate).await;
    }
}

#[tokio::test]
async fn a_stderr_that_nobody_reads_stops_nothing() {
    let server = upstream::legacy().tool("work").start().await;
    let builder = proxy::new().upstream("a", &server).env("DEBUG", "1");
    let mut child = builder.command().stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let _unread = child.stderr.take().unwrap();
    let mut stdout = BufReader::new(stdout).lines();
    // A line a call at the least: more than any pipe holds.
    for id in 0..3000 {
        let call = proxy::call_line(&id.to_string(), r#"{"name":"work","arguments":{}}"#);
        let sent = stdin.write_all(format!("{call}\n").as_bytes()).await;
        sent.unwrap();
        let answer = within("an answer", stdout.next_line())
            .await
            .unwrap()
            .unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
    }
    drop(stdin);
    let status = within("the proxy to end", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_flood_of_logs_is_counted_and_left_out() {
    let server = upstream::legacy().tool("work").start().await;
    let builder = proxy::new().upstream("a", &server).env("DEBUG", "1");
    let mut client = builder.env("PROXY_LOG_RATE", "1").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    for _ in 0..200 {
        client.call("work", json!({})).await;
    }
    // A second brings a line, and with it the account of what was left out before.
    let told = async {
        while !client
            .stderr()
            .contains("log lines left out; raise PROXY_LOG_RATE")
        {
            client.call("work", json!({})).await;
        }
    };
    within("the account of what was left out", told).await;
    let lines = client.stderr().lines().count();
    assert!((90..200).contains(&lines), "{lines}");
}
