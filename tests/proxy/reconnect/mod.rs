//! Reconnects after restarts, lost sessions, suspends and era changes.
//!
//! Calls wait within limits, no call runs twice, and attempts follow exponential backoff.

mod backoff;
mod era_change;
mod restarts;
mod retry_after;
#[cfg(unix)]
mod suspend;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use testkit::proxy::Client;
use testkit::upstream::Builder;

/// Adds the tool `work`, which is not idempotent, and returns the counter of its runs.
fn counting_server(builder: Builder) -> (Builder, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let runs = count.clone();
    let builder = builder.tool("work").reply_with(move |_| {
        runs.fetch_add(1, Ordering::SeqCst);
        br#"{"content":[],"resultType":"complete"}"#.to_vec()
    });
    (builder, count)
}

fn run_count(count: &AtomicUsize) -> usize {
    count.load(Ordering::SeqCst)
}

/// Sends calls without waiting for responses.
async fn send_calls(client: &mut Client, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for number in 0..count {
        let params = json!({"name": "work", "arguments": {"number": number}});
        ids.push(client.send_request("tools/call", params).await);
    }
    ids
}

/// Receives the responses to these calls and checks that each has a result.
async fn take_results(client: &mut Client, ids: Vec<u64>) {
    for id in ids {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
}
