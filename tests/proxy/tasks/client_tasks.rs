//! Tasks that a client creates: requests about them reach their owner.

use serde_json::json;

use crate::tasks::server::{
    self, MISSING_CAPABILITY, RESULT, Statuses, error_to, modern_task, task,
};
use crate::tasks::{exchange_json, meta, result_line};
use testkit::{proxy, upstream};

#[tokio::test]
async fn legacy_task_requests_reach_the_owner_byte_for_byte() {
    let statuses = Statuses::new(["working"]);
    let other = server::legacy("other", &statuses).start().await;
    let owner = server::legacy(r"\u0074-1", &statuses).start().await;
    let proxy = proxy::new().upstream("a", &other).upstream("b", &owner);
    let mut client = proxy.start().await;
    client.initialize().await;
    let call = r#"{ "task": {"ttl":6.0e4} ,"name":"b__run","arguments":{"n":1.0}}"#;
    let created = client.exchange_request("tools/call", call).await;
    let expected = format!(r#"{{"task":{} ,"x":1.0}}"#, task(r"\u0074-1", "working"));
    assert_eq!(created, result_line("tools/call", &expected));
    let sent = owner.calls().remove(0);
    let sent = String::from_utf8(sent).unwrap();
    assert!(sent.contains(&call.replace("b__run", "run")), "{sent}");
    for (method, result) in [
        ("tasks/get", task(r"\u0074-1", "working")),
        ("tasks/result", RESULT.to_owned()),
        ("tasks/cancel", task(r"\u0074-1", "cancelled")),
    ] {
        let params = r#"{"x":[ 1.0],"taskId" : "\u0074-1" }"#;
        let answer = client.exchange_request(method, params).await;
        assert_eq!(answer, result_line(method, &result));
        assert_eq!(
            owner.requests_of(method)[0].params_bytes().unwrap(),
            params.as_bytes()
        );
        assert_eq!(other.requests_of(method).len(), 0);
    }
}

#[tokio::test]
async fn modern_task_requests_reach_the_owner_byte_for_byte() {
    let statuses = Statuses::new(["working"]);
    let other = server::modern("other", &statuses).start().await;
    let owner = server::modern("täsk 1", &statuses).start().await;
    let proxy = proxy::new().upstream("a", &other).upstream("b", &owner);
    let mut client = proxy.start().await;
    let meta = meta(true);
    let call = format!(r#"{{"name":"b__run",{meta}}}"#);
    let created = client.exchange_request("tools/call", &call).await;
    let expected = modern_task("task", "täsk 1", "working");
    assert_eq!(created, result_line("tools/call", &expected));
    assert_eq!(owner.calls().len(), 1);
    let done = r#"{"resultType":"complete"}"#.to_owned();
    for (method, result) in [
        ("tasks/get", modern_task("complete", "täsk 1", "working")),
        ("tasks/update", done.clone()),
        ("tasks/cancel", done),
    ] {
        // The server rejects a request whose `Mcp-Name` is not the id.
        let params = format!(r#"{{"x":[ 1.0],"taskId" : "täsk 1",{meta} }}"#);
        let answer = client.exchange_request(method, &params).await;
        assert_eq!(answer, result_line(method, &result));
        let sent = owner.requests_of(method).remove(0);
        assert_eq!(sent.params_bytes().unwrap(), params.as_bytes());
        assert_eq!(other.requests_of(method).len(), 0);
    }
}

#[tokio::test]
async fn unknown_task_is_requested_in_order_until_a_server_has_it() {
    for is_modern in [false, true] {
        let statuses = Statuses::new(["working"]);
        let kind = |id: &str| match is_modern {
            true => server::modern(id, &statuses),
            false => server::legacy(id, &statuses),
        };
        let first = kind("a-1").start().await;
        let second = kind("b-1").start().await;
        let third = kind("c-1").start().await;
        let plain = upstream::legacy().start().await;
        let proxy = proxy::new().upstream("plain", &plain);
        let proxy = proxy.upstream("a", &first).upstream("b", &second);
        let mut client = proxy.upstream("c", &third).start().await;
        client.initialize().await;
        let params = |id: &str| match is_modern {
            true => format!(r#"{{"taskId":"{id}",{}}}"#, meta(true)),
            false => format!(r#"{{"taskId":"{id}"}}"#),
        };
        for round in 1..=2 {
            let answer = exchange_json(&mut client, "tasks/get", &params("b-1")).await;
            assert_eq!(answer["result"]["taskId"], "b-1", "{answer}");
            // The proxy records the owner at the first response.
            assert_eq!(first.requests_of("tasks/get").len(), 1);
            assert_eq!(second.requests_of("tasks/get").len(), round);
        }
        assert_eq!(third.requests_of("tasks/get").len(), 0);
        let answer = exchange_json(&mut client, "tasks/cancel", &params("unknown")).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.contains("`unknown`"), "{answer}");
        let refused = &answer["error"]["data"]["refused"];
        for name in ["a", "b", "c"] {
            assert_eq!(refused[name]["message"], "no such task", "{answer}");
        }
        assert_eq!(plain.requests_of("tasks/cancel").len(), 0);
        if is_modern {
            // The owner is unknown, and an update may have an effect at another server.
            let answer = exchange_json(&mut client, "tasks/update", &params("unknown")).await;
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            assert_eq!(first.requests_of("tasks/update").len(), 0);
        }
    }
}

#[tokio::test]
async fn unknown_task_error_of_the_only_task_server_passes() {
    let plain = upstream::legacy().start().await;
    let server = server::legacy("a", &Statuses::new(["working"]))
        .start()
        .await;
    let proxy = proxy::new().upstream("p", &plain).upstream("a", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let answer = client
        .exchange_request("tasks/result", r#"{"taskId":"b"}"#)
        .await;
    let error = r#"{"code":-32602,"message":"no such task", "z":1.0}"#;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"tasks/result","error":{error}}}"#);
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn task_request_reaches_no_server_of_the_other_era() {
    let statuses = Statuses::new(["working"]);
    let legacy = server::legacy("l", &statuses).start().await;
    let modern = server::modern("m", &statuses).start().await;
    let proxy = proxy::new().upstream("l", &legacy).upstream("m", &modern);
    let mut client = proxy.start().await;
    client.initialize().await;
    let answer = exchange_json(&mut client, "tasks/get", r#"{"taskId":"m"}"#).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(modern.requests_of("tasks/get").len(), 0);
    let params = format!(r#"{{"taskId":"l",{}}}"#, meta(true));
    let answer = exchange_json(&mut client, "tasks/get", &params).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(legacy.requests_of("tasks/get").len(), 1);
    // Methods that exist in one era only.
    for (method, params) in [
        ("tasks/result", &params[..]),
        ("tasks/list", &params),
        ("tasks/update", r#"{"taskId":"l"}"#),
    ] {
        let answer = exchange_json(&mut client, method, params).await;
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
        assert_eq!(
            legacy.requests_of(method).len() + modern.requests_of(method).len(),
            0
        );
    }
}

#[tokio::test]
async fn request_without_exactly_one_task_id_is_rejected() {
    let server = server::legacy("a", &Statuses::new(["working"]))
        .start()
        .await;
    let mut client = proxy::before(&server).await;
    for params in ["{}", r#"{"taskId":1}"#, r#"{"taskId":"a","taskId":"b"}"#] {
        let answer = exchange_json(&mut client, "tasks/cancel", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(server.requests_of("tasks/cancel").len(), 0);
}

#[tokio::test]
async fn legacy_client_never_receives_a_modern_task() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|_| modern_task("task", "m", "working").into());
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let answer = client.call("run", json!({})).await;
    assert!(answer["error"].is_object(), "{answer}");
    assert_eq!(answer["error"]["data"]["upstream"], "a", "{answer}");
}

#[tokio::test]
async fn capability_error_reaches_a_client_that_declares_tasks() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|request| error_to(request, MISSING_CAPABILITY));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let call = format!(r#"{{"name":"run",{}}}"#, meta(true));
    let answer = client.exchange_request("tools/call", &call).await;
    assert!(answer.contains(MISSING_CAPABILITY), "{answer}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn task_notifications_reach_the_legacy_client_that_owns_it() {
    let server = server::legacy("t", &Statuses::new(["working"]))
        .start()
        .await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let call = r#"{"name":"run","task":{}}"#;
    client.exchange_request("tools/call", call).await;
    server
        .notify(
            "notifications/tasks/status",
            r#"{"taskId":"t","status":"working"}"#,
        )
        .await;
    let notification = client.notification("notifications/tasks/status").await;
    assert_eq!(notification["params"]["taskId"], "t");
}

#[tokio::test]
async fn error_for_an_unknown_task_names_disconnected_servers() {
    let server = server::legacy("a", &Statuses::new(["working"]))
        .start()
        .await;
    for proxy in [proxy::new(), proxy::new().upstream("a", &server)] {
        let proxy = proxy.upstream("offline", "http://127.0.0.1:1/mcp");
        let mut client = proxy.start().await;
        client.initialize().await;
        let answer = exchange_json(&mut client, "tasks/get", r#"{"taskId":"b"}"#).await;
        assert_eq!(answer["error"]["code"], -31001, "{answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.ends_with("not connected: `offline`"), "{text}");
    }
}
