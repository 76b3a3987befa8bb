//! Legacy tasks that require input from a modern client without tasks.
//!
//! The proxy suspends the call. If the call is not retried, its task is cancelled.

use serde_json::{Value, json};

use crate::tasks::server::{self, RESULT, Statuses};
use crate::tasks::{params_of, task_id};
use testkit::proxy::{self, Client};
use testkit::upstream::Upstream;

const FORM: &str = r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#;

/// A server whose task sends one elicitation request before its result.
async fn server_requiring_input() -> Upstream {
    let server = server::legacy("t", &Statuses::new(["input_required"]));
    let server = server.on_request("tasks/result", |call| async move {
        call.request("\"q\"", "elicitation/create", FORM).await;
        RESULT.into()
    });
    server.start().await
}

/// Starts a client and suspends its call. Returns the client and the parameters of the retry.
async fn suspend_call(proxy: proxy::Builder) -> (Client, Value) {
    let mut client = proxy.start().await;
    client.declare(json!({"elicitation": {}}));
    let answer = client.modern("tools/call", json!({"name": "run"})).await;
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let requests = result["inputRequests"].as_object().unwrap();
    let accepted = json!({"action": "accept", "content": {}});
    let responses = requests.keys().map(|key| (key.clone(), accepted.clone()));
    let responses = Value::Object(responses.collect());
    let state = &result["requestState"];
    let retry = json!({"name": "run", "inputResponses": responses, "requestState": state});
    (client, retry)
}

#[tokio::test]
async fn retried_call_gets_the_result_of_its_task() {
    let server = server_requiring_input().await;
    let (mut client, retry) = suspend_call(proxy::new().upstream("a", &server)).await;
    let answer = client.modern("tools/call", retry).await;
    let mut result: Value = serde_json::from_str(RESULT).unwrap();
    result["resultType"] = "complete".into();
    assert_eq!(answer["result"], result, "{answer}");
    assert!(client.close().await.success());
    assert_eq!(server.requests_of("tasks/cancel").len(), 0);
}

#[tokio::test]
async fn suspended_call_without_a_retry_cancels_its_task() {
    let server = server_requiring_input().await;
    let proxy = proxy::new().upstream("a", &server);
    let (_client, _) = suspend_call(proxy.env("PROXY_INPUT_WAIT", "300ms")).await;
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
}

#[tokio::test]
async fn shutdown_cancels_the_task_of_a_suspended_call() {
    let server = server_requiring_input().await;
    let (mut client, _) = suspend_call(proxy::new().upstream("a", &server)).await;
    assert!(client.close().await.success());
    assert_eq!(server.requests_of("tasks/cancel").len(), 1);
}
