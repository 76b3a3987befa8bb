//! A client that declares with a request what it did not in its handshake: it has a session of its own
//! with a legacy server, beside the main one.

use serde_json::json;

use crate::support::proxy::{self, Client};
use crate::support::raw::Request;
use crate::support::upstream::{self, Upstream, Voice};
use crate::{PROMPTS, RESOURCES, UPDATED, expected, serving, subscribes, unsubscribes, updates};

/// A client with two sessions, and the streams on which the server speaks in each: the main one first.
async fn beside() -> (Upstream, Client, [Voice; 2]) {
    let server = serving(upstream::legacy(), "x://1");
    let server = server.tool("wait").on_call(|call| async move {
        call.aside().await;
        br#"{"content":[]}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize_with(json!({"roots": {}})).await;
    let main = server.voice().await;
    client.declare(json!({}));
    client.modern("tools/call", json!({"name": "wait"})).await;
    let side = server.voice().await;
    (server, client, [main, side])
}

/// Says something in each session, and waits until the client has all that was told of it.
async fn say(client: &mut Client, voices: &[Voice; 2], method: &str, params: &str) {
    for voice in voices {
        let message = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        voice.send(message).await;
        voice.read().await;
    }
    client.request("ping", json!({})).await;
}

#[tokio::test]
async fn a_subscription_is_made_in_one_session_and_heard_once() {
    let (server, mut client, voices) = beside().await;
    let params = json!({"uri": "x://1"});
    let done = client.request("resources/subscribe", params.clone()).await;
    assert_eq!(done["result"], json!({}));
    say(&mut client, &voices, UPDATED, r#"{"uri":"x://1"}"#).await;
    // A server may tell all sessions what one has subscribed to.
    assert_eq!(updates(&client), expected([("x://1", json!(null))]));
    let done = client.request("resources/unsubscribe", params).await;
    assert_eq!(done["result"], json!({}));
    let ended = server.raw.wait_for(unsubscribes("x://1")).await;
    let begun = server.raw.requests();
    let begun: Vec<_> = begun.iter().filter(|it| subscribes("x://1")(it)).collect();
    let session = |it: &Request| it.header("mcp-session-id").map(str::to_owned);
    let main = Some("session-1".to_owned());
    assert_eq!(begun.len(), 1);
    assert_eq!((session(begun[0]), session(&ended)), (main.clone(), main));
}

#[tokio::test]
async fn what_a_server_tells_all_sessions_is_heard_once() {
    let (_server, mut client, voices) = beside().await;
    for method in [PROMPTS, RESOURCES] {
        say(&mut client, &voices, method, "{}").await;
        let lines = client.received().into_iter();
        let lines = lines.map(|line| String::from_utf8(line).unwrap());
        assert_eq!(
            lines.filter(|line| line.contains(method)).count(),
            1,
            "{method}"
        );
    }
}
