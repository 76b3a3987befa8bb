//! Logs without a reader, and too many logs.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use testkit::{proxy, upstream, within};

#[tokio::test]
async fn unread_stderr_does_not_block_calls() {
    let server = upstream::legacy().tool("work").start().await;
    let builder = proxy::new().upstream("a", &server).env("DEBUG", "1");
    let mut child = builder.command().stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let _unread = child.stderr.take().unwrap();
    let mut stdout = BufReader::new(stdout).lines();
    // At least one line for each call: more than any pipe holds.
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
async fn log_lines_over_the_rate_are_dropped_and_counted() {
    let server = upstream::legacy().tool("work").start().await;
    let builder = proxy::new().upstream("a", &server).env("DEBUG", "1");
    let mut client = builder.env("PROXY_LOG_RATE", "1").start().await;
    client.initialize().await;
    client.wait_for_tools(&["work"]).await;
    for _ in 0..200 {
        client.call("work", json!({})).await;
    }
    // After a second the next line is logged, with the count of the dropped ones.
    let counted = async {
        while !client.stderr().contains("log lines dropped") {
            client.call("work", json!({})).await;
        }
    };
    within("the count of dropped lines", counted).await;
    let lines = client.stderr().lines().count();
    assert!((90..200).contains(&lines), "{lines}");
}
