//! Tasks: each client sees its own.

use serde_json::json;

use super::harness::{Era, Shared};
use crate::tasks::server;
use testkit::upstream::Kind;

testkit::per_kind! {
    [legacy http_sse]
    a_client_sees_nothing_of_the_tasks_of_another
}

const TASK: &str = r#"{"taskId":"t","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":null}"#;

async fn a_client_sees_nothing_of_the_tasks_of_another(kind: Kind) {
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
    let shared = Shared::before(&server);
    let mut owner = shared.legacy(json!({})).await;
    let mut other = shared.legacy(json!({})).await;
    let params = json!({"name": "t", "arguments": {}, "task": {}});
    owner.begin("1", "tools/call", params).await;
    owner.end("1").await;
    let status = "notifications/tasks/status";
    server.notify(status, TASK).await;
    owner.notification(status).await;
    server.event_stream().await.read().await;
    assert!(other.all(status).await.is_empty());
    for (client, count) in [(&mut owner, 1), (&mut other, 0)] {
        client.begin("2", "tasks/list", json!({})).await;
        let listed = client.end("2").await;
        let tasks = listed["result"]["tasks"].as_array().map(Vec::len);
        assert_eq!(tasks, Some(count), "{listed}");
        let params = json!({"taskId": "t"});
        client.begin("3", "tasks/get", params).await;
        let got = client.end("3").await;
        assert_eq!(got.get("result").is_some(), count == 1, "{got}");
    }
    assert_eq!(server.requests_of("tasks/get").len(), 1);
}

#[tokio::test]
async fn a_task_of_the_extension_is_its_own_clients() {
    let statuses = server::Statuses::new(["working"]);
    let server = server::modern("t", &statuses).start().await;
    let shared = Shared::before(&server);
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let [mut a, mut b] = shared.clients_with([Era::Modern; 2], tasks).await;
    let run = json!({"name": "run", "arguments": {}});
    let created = a.finish("1", "tools/call", run).await;
    assert_eq!(created["result"]["taskId"], "t", "{created}");
    let get = json!({"taskId": "t"});
    let refused = b.finish("1", "tasks/get", get.clone()).await;
    assert!(refused["error"].is_object(), "{refused}");
    let refused = b.finish("2", "tasks/cancel", get.clone()).await;
    assert!(refused["error"].is_object(), "{refused}");
    let found = a.finish("2", "tasks/get", get).await;
    assert_eq!(found["result"]["status"], "working", "{found}");
    assert_eq!(server.requests_of("tasks/get").len(), 1);
    assert!(server.requests_of("tasks/cancel").is_empty());
}
