//! Tasks of the client: it creates them, and asks about them.

use serde_json::json;

use crate::tasks::server::{self, Course, LACKING, RESULT, error_to, modern_task, task};
use crate::tasks::{ask, asked, exchange, meta, result_line};
use testkit::{proxy, upstream};

#[tokio::test]
async fn a_legacy_task_is_asked_about_at_its_owner_byte_for_byte() {
    let course = Course::new(["working"]);
    let other = server::legacy("other", &course).start().await;
    let owner = server::legacy(r"\u0074-1", &course).start().await;
    let proxy = proxy::new().upstream("a", &other).upstream("b", &owner);
    let mut client = proxy.start().await;
    client.initialize().await;
    let call = r#"{ "task": {"ttl":6.0e4} ,"name":"b__run","arguments":{"n":1.0}}"#;
    let created = exchange(&mut client, "tools/call", call).await;
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
        let answer = exchange(&mut client, method, params).await;
        assert_eq!(answer, result_line(method, &result));
        assert_eq!(
            asked(&owner, method)[0].params_bytes().unwrap(),
            params.as_bytes()
        );
        assert_eq!(asked(&other, method).len(), 0);
    }
}

#[tokio::test]
async fn a_modern_task_is_asked_about_at_its_owner_byte_for_byte() {
    let course = Course::new(["working"]);
    let other = server::modern("other", &course).start().await;
    let owner = server::modern("täsk 1", &course).start().await;
    let proxy = proxy::new().upstream("a", &other).upstream("b", &owner);
    let mut client = proxy.start().await;
    let meta = meta(true);
    let call = format!(r#"{{"name":"b__run",{meta}}}"#);
    let created = exchange(&mut client, "tools/call", &call).await;
    let expected = modern_task("task", "täsk 1", "working");
    assert_eq!(created, result_line("tools/call", &expected));
    assert_eq!(owner.calls().len(), 1);
    let done = r#"{"resultType":"complete"}"#.to_owned();
    for (method, result) in [
        ("tasks/get", modern_task("complete", "täsk 1", "working")),
        ("tasks/update", done.clone()),
        ("tasks/cancel", done),
    ] {
        // The server refuses one whose `Mcp-Name` is not the id.
        let params = format!(r#"{{"x":[ 1.0],"taskId" : "täsk 1",{meta} }}"#);
        let answer = exchange(&mut client, method, &params).await;
        assert_eq!(answer, result_line(method, &result));
        let sent = asked(&owner, method).remove(0);
        assert_eq!(sent.params_bytes().unwrap(), params.as_bytes());
        assert_eq!(asked(&other, method).len(), 0);
    }
}

#[tokio::test]
async fn unknown_task_is_tried_in_order_until_a_server_knows_it() {
    for is_modern in [false, true] {
        let course = Course::new(["working"]);
        let kind = |id: &str| match is_modern {
            true => server::modern(id, &course),
            false => server::legacy(id, &course),
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
            let answer = ask(&mut client, "tasks/get", &params("b-1")).await;
            assert_eq!(answer["result"]["taskId"], "b-1", "{answer}");
            // Only the first time: then it is known whose it is.
            assert_eq!(asked(&first, "tasks/get").len(), 1);
            assert_eq!(asked(&second, "tasks/get").len(), round);
        }
        assert_eq!(asked(&third, "tasks/get").len(), 0);
        let answer = ask(&mut client, "tasks/cancel", &params("nobody")).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.contains("`nobody`"), "{answer}");
        let refused = &answer["error"]["data"]["refused"];
        for name in ["a", "b", "c"] {
            assert_eq!(refused[name]["message"], "no such task", "{answer}");
        }
        assert_eq!(asked(&plain, "tasks/cancel").len(), 0);
        if is_modern {
            // Who answers is not known, and an update may do something at the wrong server.
            let answer = ask(&mut client, "tasks/update", &params("nobody")).await;
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            assert_eq!(asked(&first, "tasks/update").len(), 0);
        }
    }
}

#[tokio::test]
async fn unknown_task_error_of_the_only_task_server_passes() {
    let plain = upstream::legacy().start().await;
    let server = server::legacy("a", &Course::new(["working"])).start().await;
    let proxy = proxy::new().upstream("p", &plain).upstream("a", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let answer = exchange(&mut client, "tasks/result", r#"{"taskId":"b"}"#).await;
    let error = r#"{"code":-32602,"message":"no such task", "z":1.0}"#;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"tasks/result","error":{error}}}"#);
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_server_of_the_other_era_is_not_asked() {
    let course = Course::new(["working"]);
    let legacy = server::legacy("l", &course).start().await;
    let modern = server::modern("m", &course).start().await;
    let proxy = proxy::new().upstream("l", &legacy).upstream("m", &modern);
    let mut client = proxy.start().await;
    client.initialize().await;
    let answer = ask(&mut client, "tasks/get", r#"{"taskId":"m"}"#).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(asked(&modern, "tasks/get").len(), 0);
    let params = format!(r#"{{"taskId":"l",{}}}"#, meta(true));
    let answer = ask(&mut client, "tasks/get", &params).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(asked(&legacy, "tasks/get").len(), 1);
    // What one era has and the other has not.
    for (method, params) in [
        ("tasks/result", &params[..]),
        ("tasks/list", &params),
        ("tasks/update", r#"{"taskId":"l"}"#),
    ] {
        let answer = ask(&mut client, method, params).await;
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
        assert_eq!(
            asked(&legacy, method).len() + asked(&modern, method).len(),
            0
        );
    }
}

#[tokio::test]
async fn a_request_without_one_task_id_is_refused() {
    let server = server::legacy("a", &Course::new(["working"])).start().await;
    let mut client = proxy::before(&server).await;
    for params in ["{}", r#"{"taskId":1}"#, r#"{"taskId":"a","taskId":"b"}"#] {
        let answer = ask(&mut client, "tasks/cancel", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(asked(&server, "tasks/cancel").len(), 0);
}

#[tokio::test]
async fn a_legacy_client_is_never_given_a_modern_task() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|_| modern_task("task", "m", "working").into());
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let answer = client.call("run", json!({})).await;
    assert!(answer["error"].is_object(), "{answer}");
    assert_eq!(answer["error"]["data"]["upstream"], "a", "{answer}");
}

#[tokio::test]
async fn modern_client_declaring_tasks_gets_the_servers_refusal() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|request| error_to(request, LACKING));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let call = format!(r#"{{"name":"run",{}}}"#, meta(true));
    let answer = exchange(&mut client, "tools/call", &call).await;
    assert!(answer.contains(LACKING), "{answer}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn news_of_a_task_reach_the_legacy_client_that_has_it() {
    let server = server::legacy("t", &Course::new(["working"])).start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let call = r#"{"name":"run","task":{}}"#;
    exchange(&mut client, "tools/call", call).await;
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
async fn an_unknown_task_may_be_at_a_server_that_is_away() {
    let server = server::legacy("a", &Course::new(["working"])).start().await;
    for proxy in [proxy::new(), proxy::new().upstream("a", &server)] {
        let proxy = proxy.upstream("away", "http://127.0.0.1:1/mcp");
        let mut client = proxy.start().await;
        client.initialize().await;
        let answer = ask(&mut client, "tasks/get", r#"{"taskId":"b"}"#).await;
        assert_eq!(answer["error"]["code"], -31001, "{answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.ends_with("not connected: `away`"), "{text}");
    }
}
