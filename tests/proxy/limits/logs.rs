//! Logs that nobody reads, or that are too many.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use testkit::{proxy, upstream, within};

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
        while !client.stderr().contains("log lines left out") {
            client.call("work", json!({})).await;
        }
    };
    within("the account of what was left out", told).await;
    let lines = client.stderr().lines().count();
    assert!((90..200).contains(&lines), "{lines}");
}
