//! A proxied task is cancelled with its call, or when its client disconnects.

use serde_json::json;

use crate::tasks::server::{self, Statuses};
use crate::tasks::{params_of, task_id};
use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream::{Builder, Kind, Upstream};

testkit::per_kind! {
    [legacy modern]
    cancelled_call_cancels_its_task_and_gets_no_response
    disconnect_of_a_client_cancels_its_tasks
}

/// A server of this kind whose task never ends.
fn working(kind: Kind) -> Builder {
    let statuses = Statuses::new(["working"]);
    match kind {
        Kind::Modern => server::modern("t", &statuses),
        Kind::Legacy | Kind::HttpSse => server::legacy("t", &statuses),
    }
}

async fn assert_cancelled_by_task(server: &Upstream) {
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(server.requests_of("notifications/cancelled").len(), 0);
}

async fn cancelled_call_cancels_its_task_and_gets_no_response(kind: Kind) {
    let server = working(kind).start().await;
    let mut client = proxy::before(&server).await;
    let id = client.send_call("run", json!({})).await;
    server
        .raw
        .wait_for_count(2, |request| request.is("tasks/get"))
        .await;
    let before = client.received().len();
    client.cancel(id).await;
    assert_cancelled_by_task(&server).await;
    let polls = server.requests_of("tasks/get").len();
    // The connection stays, and the proxy no longer polls the task.
    let answer = client.request_in_era("ping", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(client.received().len(), before + 1);
    assert!(client.close().await.success());
    assert!(server.requests_of("tasks/get").len() <= polls + 1);
    assert_eq!(server.requests_of("tasks/cancel").len(), 1);
}

#[tokio::test]
async fn call_cancelled_while_it_awaits_the_result_cancels_its_task() {
    let server = server::legacy("t", &Statuses::new(["input_required"]));
    let server = server.intercept(|request| request.is("tasks/result").then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let id = client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/result").await;
    client.cancel(id).await;
    assert_cancelled_by_task(&server).await;
}

async fn disconnect_of_a_client_cancels_its_tasks(kind: Kind) {
    let server = working(kind).start().await;
    let mut client = proxy::before(&server).await;
    client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/get").await;
    assert!(client.close().await.success());
    assert_cancelled_by_task(&server).await;
    assert_eq!(server.requests_of("tasks/cancel").len(), 1);
}

#[tokio::test]
async fn hanging_cancellation_delays_no_call() {
    let server = server::legacy("t", &Statuses::new(["working"]));
    let server = server.intercept(|request| request.is("tasks/cancel").then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let id = client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/get").await;
    client.cancel(id).await;
    server.wait_for_request("tasks/cancel").await;
    client.send_call("run", json!({})).await;
    server
        .raw
        .wait_for_count(2, |request| request.is("tools/call"))
        .await;
    assert!(client.close().await.success());
}

#[tokio::test]
async fn server_without_task_cancellation_gets_no_cancel_request() {
    let capabilities = r#"{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#;
    let server = server::legacy("t", &Statuses::new(["working"])).capabilities(capabilities);
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server).env("DEBUG", "1");
    let mut client = proxy.start().await;
    client.initialize().await;
    let id = client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/get").await;
    client.cancel(id).await;
    client
        .wait_for_stderr("the server cannot cancel tasks")
        .await;
    assert!(client.close().await.success());
    assert_eq!(server.requests_of("tasks/cancel").len(), 0);
    assert_eq!(server.requests_of("notifications/cancelled").len(), 0);
}
