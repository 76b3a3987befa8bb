//! A task that is followed for a client ends with the client's interest in it.

use serde_json::json;

use crate::tasks::server::{self, Course};
use crate::tasks::{asked, params_of, task_id};
use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream::{Builder, Kind, Upstream};

testkit::per_kind! {
    [legacy modern]
    a_cancelled_call_cancels_its_task_and_is_not_answered
    a_client_that_leaves_cancels_its_tasks
}

/// A server of this kind whose task goes on.
fn working(kind: Kind) -> Builder {
    let course = Course::new(["working"]);
    match kind {
        Kind::Modern => server::modern("t", &course),
        Kind::Legacy | Kind::HttpSse => server::legacy("t", &course),
    }
}

async fn assert_cancelled_by_task(server: &Upstream) {
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(asked(server, "notifications/cancelled").len(), 0);
}

async fn a_cancelled_call_cancels_its_task_and_is_not_answered(kind: Kind) {
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
    let looks = asked(&server, "tasks/get").len();
    // The connection goes on, and nobody looks at the task any more.
    let answer = client.request_in_era("ping", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(client.received().len(), before + 1);
    assert!(client.close().await.success());
    assert!(asked(&server, "tasks/get").len() <= looks + 1);
    assert_eq!(asked(&server, "tasks/cancel").len(), 1);
}

#[tokio::test]
async fn a_call_that_waits_for_its_result_cancels_its_task_as_well() {
    let server = server::legacy("t", &Course::new(["input_required"]));
    let server = server.intercept(|request| request.is("tasks/result").then(Reply::hang));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let id = client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/result").await;
    client.cancel(id).await;
    assert_cancelled_by_task(&server).await;
}

async fn a_client_that_leaves_cancels_its_tasks(kind: Kind) {
    let server = working(kind).start().await;
    let mut client = proxy::before(&server).await;
    client.send_call("run", json!({})).await;
    server.wait_for_request("tasks/get").await;
    assert!(client.close().await.success());
    assert_cancelled_by_task(&server).await;
    assert_eq!(asked(&server, "tasks/cancel").len(), 1);
}

#[tokio::test]
async fn unanswered_cancellation_delays_nothing() {
    let server = server::legacy("t", &Course::new(["working"]));
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
async fn a_server_that_cannot_cancel_is_not_asked_to() {
    let capabilities = r#"{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#;
    let server = server::legacy("t", &Course::new(["working"])).capabilities(capabilities);
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
    assert_eq!(asked(&server, "tasks/cancel").len(), 0);
    assert_eq!(asked(&server, "notifications/cancelled").len(), 0);
}
