//! Notifications during a call: progress and logs.

use rmcp::model::{CallToolRequestParams, LoggingLevel, ServerNotification, SetLevelRequestParams};
use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::official::session::{Session, from_json};
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    progress_arrives_in_order
    logs_arrive_at_the_requested_level
    logs_below_the_requested_level_are_not_sent
    stream_that_ends_before_its_response_is_resumed
}

async fn progress_arrives_in_order(pairing: Pairing) {
    let session = pairing.connect().await;
    // The SDK sends a progress token with every request.
    let result = session.call("test_tool_with_progress", json!({})).await;
    assert_eq!(result["content"][0]["text"], "Reported", "{pairing:?}");
    let progress = |received: &ServerNotification| match received {
        ServerNotification::ProgressNotification(notification) => {
            Some(notification.params.progress)
        }
        _ => None,
    };
    // The SDK handles notifications in separate tasks, so they may arrive after the result.
    let last = |received: &ServerNotification| progress(received) == Some(100.0);
    within("the last progress", session.client.service().receive(last)).await;
    let received = session.client.service().received.borrow();
    let all: Vec<f64> = received.notifications.iter().filter_map(progress).collect();
    assert_eq!(all, [0.0, 50.0, 100.0], "{pairing:?}");
    drop(received);
    session.assert_eras();
}

/// Calls the tool that logs, with logs requested at `level`.
async fn log(session: &Session, level: LoggingLevel) {
    let mut call = CallToolRequestParams::new("test_tool_with_logging");
    if session.pairing.legacy_client() {
        let set = session.client.set_level(SetLevelRequestParams::new(level));
        within("the level to be set", set).await.unwrap();
    } else {
        let meta = json!({"io.modelcontextprotocol/logLevel": level});
        call.meta = Some(from_json(meta));
    }
    let result = session.call_with(call).await;
    assert_eq!(
        result["content"][0]["text"], "Logged",
        "{:?}",
        session.pairing
    );
}

fn logged(received: &ServerNotification) -> Option<Value> {
    match received {
        ServerNotification::LoggingMessageNotification(notification) => {
            Some(notification.params.data.clone())
        }
        _ => None,
    }
}

async fn logs_arrive_at_the_requested_level(pairing: Pairing) {
    let session = pairing.connect().await;
    log(&session, LoggingLevel::Info).await;
    let last =
        |received: &ServerNotification| logged(received) == Some(json!("Tool execution completed"));
    within("the last message", session.client.service().receive(last)).await;
    let received = session.client.service().received.borrow();
    let all: Vec<_> = received.notifications.iter().filter_map(logged).collect();
    let expected = ["started", "processing data", "completed"];
    assert_eq!(
        all,
        expected.map(|step| json!(format!("Tool execution {step}"))),
        "{pairing:?}"
    );
    drop(received);
    session.assert_eras();
}

async fn logs_below_the_requested_level_are_not_sent(pairing: Pairing) {
    let session = pairing.connect().await;
    log(&session, LoggingLevel::Error).await;
    // Notifications arrive in order: logs would have arrived before the progress.
    session.call("test_tool_with_progress", json!({})).await;
    let last = |received: &ServerNotification| matches!(received, ServerNotification::ProgressNotification(notification) if notification.params.progress >= 100.0);
    within("the last progress", session.client.service().receive(last)).await;
    let received = session.client.service().received.borrow();
    assert_eq!(
        received.notifications.iter().find_map(logged),
        None,
        "{pairing:?}"
    );
}

// The SDK's server resumes streams of sessions only: a modern stream is not resumed.
async fn stream_that_ends_before_its_response_is_resumed(pairing: Pairing) {
    let session = pairing.connect().await;
    let result = session.call("test_reconnection", json!({})).await;
    assert_eq!(
        result["content"][0]["text"], "Said on another stream",
        "{pairing:?}"
    );
    session.assert_eras();
}
