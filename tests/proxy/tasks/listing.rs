//! `tasks/list` merges every page of every server that supports it.

use serde_json::json;

use crate::tasks::server::{self, Statuses, error_to, task};
use crate::tasks::{exchange_json, result_line};
use testkit::raw::{Reply, Request};
use testkit::upstream::Builder;
use testkit::{proxy, upstream};

/// Serves these tasks, one a page.
fn listing(builder: Builder, tasks: Vec<String>) -> Builder {
    builder.answers("tasks/list", move |request: &Request| {
        let cursor = request.json()["params"]["cursor"].take();
        let at: usize = cursor.as_str().map_or(0, |cursor| cursor.parse().unwrap());
        let next = match at + 1 < tasks.len() {
            true => format!(r#","nextCursor":"{}""#, at + 1),
            false => String::new(),
        };
        format!(r#"{{"tasks":[{}]{next}}}"#, tasks[at]).into()
    })
}

#[tokio::test]
async fn all_pages_of_all_servers_are_merged_byte_for_byte() {
    let statuses = Statuses::new(["working"]);
    let first = vec![task("a-1", "working"), task("a-2", "failed")];
    let second = vec![task("b-1", "completed"), r#"{ "odd":1.0}"#.to_owned()];
    let expected = format!(r#"{{"tasks":[{},{}]}}"#, first.join(","), second.join(","));
    let a = listing(server::legacy("a-1", &statuses), first)
        .start()
        .await;
    let b = listing(server::legacy("b-1", &statuses), second)
        .start()
        .await;
    let unlisted = server::legacy("c-1", &statuses)
        .capabilities(r#"{"tools":{},"tasks":{"cancel":{}}}"#)
        .start()
        .await;
    let modern = server::modern("m-1", &statuses).start().await;
    let proxy = proxy::new().upstream("a", &a).upstream("c", &unlisted);
    let mut client = proxy.upstream("m", &modern).upstream("b", &b).start().await;
    client.initialize().await;
    let listed = client.exchange_request("tasks/list", "{}").await;
    assert_eq!(listed, result_line("tasks/list", &expected));
    assert_eq!(unlisted.requests_of("tasks/list").len(), 0);
    assert_eq!(modern.requests_of("tasks/list").len(), 0);
    // The listing has recorded the owner of each task.
    let answer = exchange_json(&mut client, "tasks/get", r#"{"taskId":"b-1"}"#).await;
    assert_eq!(answer["result"]["taskId"], "b-1", "{answer}");
    assert_eq!(a.requests_of("tasks/get").len(), 0);
    let refused = exchange_json(&mut client, "tasks/list", r#"{"cursor":"1"}"#).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

#[tokio::test]
async fn failing_server_is_left_out_of_the_listing() {
    let statuses = Statuses::new(["working"]);
    let failing = server::legacy("a", &statuses).answers("tasks/list", |request| {
        error_to(request, r#"{"code":-32603,"message":"no"}"#)
    });
    let failing = failing.start().await;
    let hanging = server::legacy("b", &statuses);
    let hanging = hanging.intercept(|request| request.is("tasks/list").then(Reply::hang));
    let hanging = hanging.start().await;
    let good = vec![task("c", "working")];
    let expected = format!(r#"{{"tasks":[{}]}}"#, good[0]);
    let good = listing(server::legacy("c", &statuses), good).start().await;
    let proxy = proxy::new().upstream("a", &failing).upstream("b", &hanging);
    let proxy = proxy.extra("b", json!({"timeout": "300ms"}));
    let mut client = proxy.upstream("c", &good).start().await;
    client.initialize().await;
    let listed = client.exchange_request("tasks/list", "{}").await;
    assert_eq!(listed, result_line("tasks/list", &expected));
    client.wait_for_stderr("leaving out").await;
}

#[tokio::test]
async fn list_method_is_unknown_if_no_server_supports_it() {
    let server = upstream::legacy().start().await;
    let mut client = proxy::before(&server).await;
    let answer = exchange_json(&mut client, "tasks/list", "{}").await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    assert_eq!(server.requests_of("tasks/list").len(), 0);
}
