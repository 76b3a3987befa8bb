//! Faults while a proxied task runs: lost connections, lost results and expired tasks.

use serde_json::json;

use crate::tasks::exchange_json;
use crate::tasks::server::{self, Statuses, error_to};
use testkit::gate::Gate;
use testkit::proxy;
use testkit::raw::Reply;

#[tokio::test]
async fn task_is_polled_again_after_a_reconnect() {
    let statuses = Statuses::new(["working"]);
    let completed = r#"completed ,"result":{"content":[]}"#;
    for builder in [
        server::legacy("t", &statuses),
        server::modern("t", &statuses),
    ] {
        statuses.set("working");
        let mut server = builder.start().await;
        let proxy = proxy::new().upstream("a", &server).env("DEBUG", "1");
        let proxy = proxy.env("PROXY_CONNECT_WAIT", "300ms");
        let mut client = proxy.start().await;
        client.initialize().await;
        let id = client
            .send_request("tools/call", json!({"name": "run"}))
            .await;
        server.wait_for_request("tasks/get").await;
        let calls = server.calls().len();
        server.raw.stop().await;
        client
            .wait_for_stderr("could not poll a task; retrying")
            .await;
        statuses.set(completed);
        server.restart();
        let answer = client.response(id).await;
        assert!(answer["result"]["content"].is_array(), "{answer}");
        // The call was not sent again.
        assert_eq!(server.calls().len(), calls);
    }
}

#[tokio::test]
async fn lost_result_is_requested_again() {
    let lost = std::sync::atomic::AtomicUsize::new(0);
    let server = server::legacy("t", &Statuses::new(["completed"]));
    let server = server.intercept(move |request| {
        let is_lost = request.is("tasks/result")
            && lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
        is_lost.then(Reply::reset)
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let answer = client.call("run", json!({})).await;
    assert!(answer["result"]["content"].is_array(), "{answer}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn call_of_an_expired_task_has_an_unknown_outcome() {
    let statuses = Statuses::new(["working"]);
    for builder in [
        server::legacy("t", &statuses),
        server::modern("t", &statuses),
    ] {
        let server = builder.answers("tasks/get", |request| {
            error_to(request, r#"{"code":-32602,"message":"expired"}"#)
        });
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let answer = client.call("run", json!({})).await;
        let error = &answer["error"];
        assert_eq!(
            error["data"],
            json!({"upstream": "a", "outcome": "unknown"})
        );
        let text = error["message"].as_str().unwrap();
        assert!(
            text.contains("`tools/call`") && text.contains("expired"),
            "{text}"
        );
        server.wait_for_request("tasks/cancel").await;
    }
}

#[tokio::test]
async fn task_requests_skip_the_limit_of_calls() {
    let gate = Gate::closed();
    let held = gate.clone();
    let server = server::legacy("t", &Statuses::new(["working"])).tool("work");
    let server = server.guarded(move |request| {
        let gate = held.clone();
        async move {
            if request.is("tools/call") && request.tool() == "work" {
                gate.passed().await;
            }
            None
        }
    });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.env("PROXY_UPSTREAM_CALLS", "1").start().await;
    client.initialize().await;
    let created = exchange_json(&mut client, "tools/call", r#"{"name":"run","task":{}}"#).await;
    assert!(created["result"]["task"].is_object(), "{created}");
    let calls = server.calls().len();
    let running = client.send_call("work", json!({})).await;
    let waiting = client.send_call("work", json!({})).await;
    for method in ["tasks/get", "tasks/cancel"] {
        let answer = exchange_json(&mut client, method, r#"{"taskId":"t"}"#).await;
        assert!(answer["result"].is_object(), "{method}: {answer}");
    }
    assert_eq!(server.calls().len(), calls);
    gate.open();
    for id in [running, waiting] {
        // This server rejects every call without a task.
        let answer = client.response(id).await;
        assert_eq!(answer["error"]["message"], "only as a task", "{answer}");
    }
}
