//! Calls side by side, the notifications before each answer, and what calls may not reach.

// A server or a client that is not as it should be fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::proxy::{self, Client};
use support::upstream::{self, Builder, Call, Upstream};
use tokio::sync::watch;

/// Servers that can speak before they answer, of each kind.
fn kinds() -> [(&'static str, fn() -> Builder); 3] {
    [
        ("legacy", upstream::legacy),
        ("modern", upstream::modern),
        ("http_sse", upstream::http_sse),
    ]
}

async fn behind_proxy(server: &Upstream) -> Client {
    let mut client = proxy::new().upstream("a", server).start().await;
    client.initialize().await;
    client
}

/// A call's arguments.
fn arguments(call: &Call) -> Value {
    call.request.json()["params"]["arguments"].take()
}

/// The ids of the answers among `lines`, in order.
fn answered(lines: &[Vec<u8>]) -> Vec<String> {
    let messages = lines
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let answers = messages.filter(|message| message.get("method").is_none());
    answers.map(|answer| answer["id"].to_string()).collect()
}

fn call_line(id: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
}

#[tokio::test]
async fn answers_come_as_they_are_given_whatever_the_order_of_the_calls() {
    const CALLS: u64 = 300;
    for (kind, builder) in kinds() {
        // Calls whose number is at least this may be answered.
        let turn = Arc::new(watch::Sender::new(CALLS));
        let gate = turn.clone();
        let server = builder().tool("wait").on_call(move |call| {
            let gate = gate.clone();
            async move {
                let number = arguments(&call)["number"].as_u64().unwrap();
                gate.subscribe()
                    .wait_for(|turn| *turn <= number)
                    .await
                    .unwrap();
                json!({"number": number}).to_string().into_bytes()
            }
        });
        let server = server.start().await;
        let mut client = behind_proxy(&server).await;
        let before = answered(&client.received()).len();
        let mut ids = Vec::new();
        for number in 0..CALLS {
            let params = json!({"name": "wait", "arguments": {"number": number}});
            ids.push(client.send_request("tools/call", params).await);
        }
        server.wait_for_calls(ids.len()).await;
        for number in (0..CALLS).rev() {
            turn.send_replace(number);
            let id = ids[usize::try_from(number).unwrap()];
            let answer = client.response(id).await;
            assert_eq!(answer["result"]["number"], number, "{kind}: {answer}");
        }
        let order: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
        assert_eq!(answered(&client.received())[before..], order, "{kind}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_delays_no_other() {
    for (kind, builder) in kinds() {
        let release = Arc::new(watch::Sender::new(false));
        let gate = release.clone();
        let server = builder().tool("work").on_call(move |call| {
            let gate = gate.clone();
            async move {
                if arguments(&call)["slow"] == true {
                    gate.subscribe()
                        .wait_for(|released| *released)
                        .await
                        .unwrap();
                }
                json!({"done": arguments(&call)}).to_string().into_bytes()
            }
        });
        let (server, other) = (
            server.start().await,
            upstream::legacy().tool("other").start().await,
        );
        let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
        let mut client = proxy.start().await;
        client.initialize().await;
        let slow = json!({"name": "work", "arguments": {"slow": true}});
        let slow = client.send_request("tools/call", slow).await;
        server.wait_for_calls(1).await;
        for number in 0..20 {
            let answer = client.call("work", json!({"number": number})).await;
            assert_eq!(answer["result"]["done"]["number"], number, "{kind}");
            client.call("other", json!({})).await;
        }
        assert!(
            !answered(&client.received()).contains(&slow.to_string()),
            "{kind}"
        );
        release.send_replace(true);
        assert_eq!(
            client.response(slow).await["result"]["done"]["slow"],
            true,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn what_a_server_says_of_a_call_comes_before_its_answer_and_in_order() {
    for (kind, builder) in kinds() {
        for token in [r#""p\u0031""#, "7", "1.0"] {
            let server = builder().tool("talk").on_call(move |call| async move {
                for step in 0..100 {
                    call.send(progress(token, step)).await;
                    call.send(log(step)).await;
                    // Nobody has given these.
                    for foreign in [r#""7""#, "8", r#""p""#, "null", "{}"] {
                        call.send(progress(foreign, step)).await;
                    }
                }
                br#"{"content":[]}"#.to_vec()
            });
            let server = server.start().await;
            let mut client = behind_proxy(&server).await;
            let before = client.received().len();
            let meta = format!(r#"{{"progressToken":{token}}}"#);
            let line = call_line("1000", &format!(r#"{{"name":"talk","_meta":{meta}}}"#));
            let answer = client.exchange(line, "1000").await;
            assert!(client.close().await.success());
            let steps = (0..100).flat_map(|step| [progress(token, step), log(step)]);
            let mut expected: Vec<_> = steps.map(String::into_bytes).collect();
            expected.push(answer);
            assert!(client.received()[before..] == expected, "{kind}, {token}");
        }
    }
}

fn progress(token: &str, step: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step}.0,"x":1E2}}}}"#
    )
}

fn log(step: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{step}.0}}}}"#
    )
}
