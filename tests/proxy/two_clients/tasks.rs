//! Tasks: each client sees only its own.

use serde_json::json;

use super::harness::{Era, SharedProxy};
use crate::tasks::server;
use testkit::upstream::Kind;

testkit::per_kind! {
    [legacy http_sse]
    legacy_task_is_visible_only_to_its_own_client
}

const TASK: &str = r#"{"taskId":"t","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":null}"#;

async fn legacy_task_is_visible_only_to_its_own_client(kind: Kind) {
    let server = kind
        .server()
        .tool("t")
        .capabilities(
            r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#,
        )
        .result("tools/call", &format!(r#"{{"task":{TASK}}}"#))
        .result("tasks/get", TASK)
        .result("tasks/list", &format!(r#"{{"tasks":[{TASK}]}}"#));
    let server = server.start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut owner = proxy.connect_legacy(json!({})).await;
    let mut other = proxy.connect_legacy(json!({})).await;
    let params = json!({"name": "t", "arguments": {}, "task": {}});
    owner.start_request("1", "tools/call", params).await;
    owner.response_to("1").await;
    let status = "notifications/tasks/status";
    server.notify(status, TASK).await;
    owner.notification(status).await;
    server.event_stream().await.read().await;
    assert!(other.take_messages(status).await.is_empty());
    for (client, count) in [(&mut owner, 1), (&mut other, 0)] {
        client.start_request("2", "tasks/list", json!({})).await;
        let list = client.response_to("2").await;
        let tasks = list["result"]["tasks"].as_array().map(Vec::len);
        assert_eq!(tasks, Some(count), "{list}");
        let params = json!({"taskId": "t"});
        client.start_request("3", "tasks/get", params).await;
        let task = client.response_to("3").await;
        assert_eq!(task.get("result").is_some(), count == 1, "{task}");
    }
    assert_eq!(server.requests_of("tasks/get").len(), 1);
}

#[tokio::test]
async fn extension_task_is_visible_only_to_its_own_client() {
    let statuses = server::Statuses::new(["working"]);
    let server = server::modern("t", &statuses).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let [mut a, mut b] = proxy.connect_two_with([Era::Modern; 2], tasks).await;
    let run = json!({"name": "run", "arguments": {}});
    let created = a.request_with_id("1", "tools/call", run).await;
    assert_eq!(created["result"]["taskId"], "t", "{created}");
    let get = json!({"taskId": "t"});
    let rejected = b.request_with_id("1", "tasks/get", get.clone()).await;
    assert!(rejected["error"].is_object(), "{rejected}");
    let rejected = b.request_with_id("2", "tasks/cancel", get.clone()).await;
    assert!(rejected["error"].is_object(), "{rejected}");
    let found = a.request_with_id("2", "tasks/get", get).await;
    assert_eq!(found["result"]["status"], "working", "{found}");
    assert_eq!(server.requests_of("tasks/get").len(), 1);
    assert!(server.requests_of("tasks/cancel").is_empty());
}
