//! `tasks/list`: every page of every server that lists its tasks.

use serde_json::json;

use crate::tasks::server::{self, Course, error_to, task};
use crate::tasks::{ask, asked, exchange, result_line};
use testkit::raw::{Reply, Request};
use testkit::upstream::Builder;
use testkit::{proxy, upstream};

/// Lists these tasks, one a page.
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
async fn every_page_of_every_server_is_listed_in_order_and_as_written() {
    let course = Course::new(["working"]);
    let first = vec![task("a-1", "working"), task("a-2", "failed")];
    let second = vec![task("b-1", "completed"), r#"{ "odd":1.0}"#.to_owned()];
    let expected = format!(r#"{{"tasks":[{},{}]}}"#, first.join(","), second.join(","));
    let a = listing(server::legacy("a-1", &course), first).start().await;
    let b = listing(server::legacy("b-1", &course), second)
        .start()
        .await;
    let unlisted = server::legacy("c-1", &course)
        .capabilities(r#"{"tools":{},"tasks":{"cancel":{}}}"#)
        .start()
        .await;
    let modern = server::modern("m-1", &course).start().await;
    let proxy = proxy::new().upstream("a", &a).upstream("c", &unlisted);
    let mut client = proxy.upstream("m", &modern).upstream("b", &b).start().await;
    client.initialize().await;
    let listed = exchange(&mut client, "tasks/list", "{}").await;
    assert_eq!(listed, result_line("tasks/list", &expected));
    assert_eq!(asked(&unlisted, "tasks/list").len(), 0);
    assert_eq!(asked(&modern, "tasks/list").len(), 0);
    // Whose they are is known from now on.
    let answer = ask(&mut client, "tasks/get", r#"{"taskId":"b-1"}"#).await;
    assert_eq!(answer["result"]["taskId"], "b-1", "{answer}");
    assert_eq!(asked(&a, "tasks/get").len(), 0);
    let refused = ask(&mut client, "tasks/list", r#"{"cursor":"1"}"#).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

#[tokio::test]
async fn a_server_that_fails_to_list_is_left_out() {
    let course = Course::new(["working"]);
    let failing = server::legacy("a", &course).answers("tasks/list", |request| {
        error_to(request, r#"{"code":-32603,"message":"no"}"#)
    });
    let failing = failing.start().await;
    let hanging = server::legacy("b", &course);
    let hanging = hanging.intercept(|request| request.is("tasks/list").then(Reply::hang));
    let hanging = hanging.start().await;
    let good = vec![task("c", "working")];
    let expected = format!(r#"{{"tasks":[{}]}}"#, good[0]);
    let good = listing(server::legacy("c", &course), good).start().await;
    let proxy = proxy::new().upstream("a", &failing).upstream("b", &hanging);
    let proxy = proxy.extra("b", json!({"timeout": "300ms"}));
    let mut client = proxy.upstream("c", &good).start().await;
    client.initialize().await;
    let listed = exchange(&mut client, "tasks/list", "{}").await;
    assert_eq!(listed, result_line("tasks/list", &expected));
    client.wait_for_stderr("leaving out").await;
}

#[tokio::test]
async fn a_list_of_no_servers_is_not_known() {
    let server = upstream::legacy().start().await;
    let mut client = proxy::before(&server).await;
    let answer = ask(&mut client, "tasks/list", "{}").await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    assert_eq!(asked(&server, "tasks/list").len(), 0);
}
