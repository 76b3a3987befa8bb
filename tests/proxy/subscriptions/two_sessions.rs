//! Subscriptions of a client with two sessions at a legacy server.
//!
//! The second session serves requests that declare other capabilities than the handshake.

use serde_json::json;

use crate::subscriptions::{
    PROMPTS, RESOURCES, UPDATED, expected, server_with_resource, subscribes, unsubscribes, updates,
};
use testkit::raw::Request;
use testkit::sessions::Sessions;
use testkit::upstream;

/// Starts a client with the main session and a second one.
async fn two_sessions() -> Sessions {
    let main = Sessions::main(server_with_resource(upstream::legacy(), "x://1")).await;
    main.and_another().await
}

fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

#[tokio::test]
async fn one_session_subscribes_and_an_update_arrives_once() {
    let mut sessions = two_sessions().await;
    let params = json!({"uri": "x://1"});
    let response = sessions
        .client
        .request("resources/subscribe", params.clone())
        .await;
    assert_eq!(response["result"], json!({}));
    sessions
        .say(&notification(UPDATED, r#"{"uri":"x://1"}"#))
        .await;
    // A server may send an update to every session of a client.
    assert_eq!(
        updates(&sessions.client),
        expected([("x://1", json!(null))])
    );
    let response = sessions
        .client
        .request("resources/unsubscribe", params)
        .await;
    assert_eq!(response["result"], json!({}));
    let unsubscribe = sessions.server.raw.wait_for(unsubscribes("x://1")).await;
    let requests = sessions.server.raw.requests();
    let subscribe_requests: Vec<_> = requests
        .iter()
        .filter(|it| subscribes("x://1")(it))
        .collect();
    let session = |it: &Request| it.header("mcp-session-id").map(str::to_owned);
    let main = Some("session-1".to_owned());
    assert_eq!(subscribe_requests.len(), 1);
    assert_eq!(
        (session(subscribe_requests[0]), session(&unsubscribe)),
        (main.clone(), main)
    );
}

#[tokio::test]
async fn notification_sent_to_all_sessions_arrives_once() {
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
