//! Tasks of legacy servers that ask a modern client, which knows none: the call that follows the task
//! is parked, and the task goes with it.

use serde_json::{Value, json};

use crate::tasks::server::{self, Course, RESULT};
use crate::tasks::{asked, params_of, task_id};
use testkit::proxy::{self, Client};
use testkit::upstream::Upstream;

const FORM: &str = r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#;

/// A server whose task asks one thing before it gives its result.
async fn asking() -> Upstream {
    let server = server::legacy("t", &Course::new(["input_required"]));
    let server = server.on_request("tasks/result", |call| async move {
        call.request("\"q\"", "elicitation/create", FORM).await;
        RESULT.into()
    });
    server.start().await
}

/// A modern client whose call is parked; the parameters with which it comes back.
async fn parked(proxy: proxy::Builder) -> (Client, Value) {
    let mut client = proxy.start().await;
    client.declare(json!({"elicitation": {}}));
    let answer = client.modern("tools/call", json!({"name": "run"})).await;
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let questions = result["inputRequests"].as_object().unwrap();
    let accepted = json!({"action": "accept", "content": {}});
    let answers = questions.keys().map(|key| (key.clone(), accepted.clone()));
    let answers = Value::Object(answers.collect());
    let state = &result["requestState"];
    let back = json!({"name": "run", "inputResponses": answers, "requestState": state});
    (client, back)
}

#[tokio::test]
async fn a_client_that_comes_back_gets_the_result_of_the_task() {
    let server = asking().await;
    let (mut client, back) = parked(proxy::new().upstream("a", &server)).await;
    let answer = client.modern("tools/call", back).await;
    let mut result: Value = serde_json::from_str(RESULT).unwrap();
    result["resultType"] = "complete".into();
    assert_eq!(answer["result"], result, "{answer}");
    assert!(client.close().await.success());
    assert_eq!(asked(&server, "tasks/cancel").len(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_come_back_has_its_task_cancelled() {
    let server = asking().await;
    let proxy = proxy::new().upstream("a", &server);
    let (_client, _) = parked(proxy.env("PROXY_INPUT_WAIT", "300ms")).await;
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
}

#[tokio::test]
async fn a_proxy_that_ends_cancels_the_task_of_a_parked_call() {
    let server = asking().await;
    let (mut client, _) = parked(proxy::new().upstream("a", &server)).await;
    assert!(client.close().await.success());
    assert_eq!(asked(&server, "tasks/cancel").len(), 1);
}
