//! An upstream that goes away and comes back, is busy, forgets sessions or becomes another: calls wait for
//! it within bounds, none runs twice, and a server in trouble is not pestered.

#[cfg(unix)]
mod asleep;
mod attempts;
mod busy;
mod eras;
mod restarts;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use testkit::proxy::Client;
use testkit::upstream::Builder;

/// A server with the tool `work`, which is not harmless, and how often that has run.
fn working(builder: Builder) -> (Builder, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let runs = count.clone();
    let builder = builder.tool("work").reply_with(move |_| {
        runs.fetch_add(1, Ordering::SeqCst);
        br#"{"content":[],"resultType":"complete"}"#.to_vec()
    });
    (builder, count)
}

fn read(count: &AtomicUsize) -> usize {
    count.load(Ordering::SeqCst)
}

/// Sends so many calls, and waits for none.
async fn send_calls(client: &mut Client, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for number in 0..count {
        let params = json!({"name": "work", "arguments": {"number": number}});
        ids.push(client.send_request("tools/call", params).await);
    }
    ids
}

/// Takes the answers to these calls, each of which must have a result.
async fn take_results(client: &mut Client, ids: Vec<u64>) {
    for id in ids {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
}
