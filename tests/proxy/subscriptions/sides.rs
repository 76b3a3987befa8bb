//! A client that declares with a request what it did not in its handshake: it has a session of its own
//! with a legacy server, beside the main one.

use serde_json::json;

use crate::subscriptions::{
    PROMPTS, RESOURCES, UPDATED, expected, serving, subscribes, unsubscribes, updates,
};
use testkit::raw::Request;
use testkit::sessions::Sessions;
use testkit::upstream;

/// A client with the main session and another.
async fn two_sessions() -> Sessions {
    let main = Sessions::main(serving(upstream::legacy(), "x://1")).await;
    main.and_another().await
}

fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

#[tokio::test]
async fn a_subscription_is_made_in_one_session_and_heard_once() {
    let mut sessions = two_sessions().await;
    let params = json!({"uri": "x://1"});
    let done = sessions
        .client
        .request("resources/subscribe", params.clone())
        .await;
    assert_eq!(done["result"], json!({}));
    sessions
        .say(&notification(UPDATED, r#"{"uri":"x://1"}"#))
        .await;
    // A server may tell all sessions what one has subscribed to.
    assert_eq!(
        updates(&sessions.client),
        expected([("x://1", json!(null))])
    );
    let done = sessions
        .client
        .request("resources/unsubscribe", params)
        .await;
    assert_eq!(done["result"], json!({}));
    let ended = sessions.server.raw.wait_for(unsubscribes("x://1")).await;
    let begun = sessions.server.raw.requests();
    let begun: Vec<_> = begun.iter().filter(|it| subscribes("x://1")(it)).collect();
    let session = |it: &Request| it.header("mcp-session-id").map(str::to_owned);
    let main = Some("session-1".to_owned());
    assert_eq!(begun.len(), 1);
    assert_eq!((session(begun[0]), session(&ended)), (main.clone(), main));
}

#[tokio::test]
async fn what_a_server_tells_all_sessions_is_heard_once() {
    let mut sessions = two_sessions().await;
    for method in [PROMPTS, RESOURCES] {
        sessions.say(&notification(method, "{}")).await;
        let lines = sessions.client.received().into_iter();
        let lines = lines.map(|line| String::from_utf8(line).unwrap());
        assert_eq!(
            lines.filter(|line| line.contains(method)).count(),
            1,
            "{method}"
        );
    }
}
