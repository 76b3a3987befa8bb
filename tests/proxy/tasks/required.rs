//! Tools of 2025-11-25 that run as a task alone, called by clients that know of none.

use serde_json::json;

use crate::tasks::server::{self, Course, RESULT, error_to, task, tool};
use crate::tasks::{ask, asked, exchange, meta, params_of, result_line, task_id};
use testkit::proxy::{self, with_meta};
use testkit::upstream::{self, Builder};
use testkit::verbatim::ERAS;
use testkit::{raw::Reply, verbatim::Era};

/// What the client of this era gets for a result of a legacy server.
fn in_era(client: Era, result: &str) -> String {
    match client {
        Era::Legacy => result.to_owned(),
        Era::Modern => result.replacen('{', r#"{"resultType":"complete","#, 1),
    }
}

/// The parameters of a call of `name` in this era.
fn call(client: Era, name: &str) -> String {
    match client {
        Era::Legacy => format!(r#"{{"name":"{name}" ,"arguments":{{"n":1.0}}}}"#),
        Era::Modern => format!(
            r#"{{"name":"{name}" ,"arguments":{{"n":1.0}},{}}}"#,
            meta(false)
        ),
    }
}

#[tokio::test]
async fn the_result_of_its_task_answers_the_call() {
    let kinds: [fn() -> Builder; 3] = [
        upstream::legacy,
        || upstream::legacy().sse_replies(),
        upstream::http_sse,
    ];
    for client_era in ERAS {
        for builder in kinds {
            let course = Course::new(["working", "working", "unheard-of", "completed"]);
            let server = server::builder(builder(), "t\\n", &course).start().await;
            let mut client = proxy::new().upstream("a", &server).start().await;
            if client_era == Era::Legacy {
                client.initialize().await;
            }
            let answer = exchange(&mut client, "tools/call", &call(client_era, "run")).await;
            assert_eq!(
                answer,
                result_line("tools/call", &in_era(client_era, RESULT))
            );
            let sent = String::from_utf8(server.calls().remove(0)).unwrap();
            assert!(
                sent.contains(r#""params":{"task":{},"name":"run" ,"arguments":{"n":1.0}"#),
                "{sent}"
            );
            assert_eq!(server.calls().len(), 1);
            let looks = asked(&server, "tasks/get");
            assert_eq!(looks.len(), 4);
            for look in looks.iter().chain(&asked(&server, "tasks/result")) {
                assert_eq!(params_of(look), task_id("t\n"));
                assert!(
                    !look.text().contains("modelcontextprotocol"),
                    "{}",
                    look.text()
                );
            }
            assert_eq!(asked(&server, "tasks/result").len(), 1);
            client.close().await;
            assert_eq!(asked(&server, "tasks/cancel").len(), 0);
        }
    }
}

#[tokio::test]
async fn task_call_gets_the_task_if_the_client_can_follow_it() {
    for support in ["required", "optional"] {
        let course = Course::new(["completed"]);
        let server = server::legacy("t", &course).tool_raw(&tool("some", support));
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let created = ask(&mut client, "tools/call", r#"{"name":"some","task":{}}"#).await;
        assert_eq!(created["result"]["task"]["taskId"], "t", "{created}");
        assert_eq!(asked(&server, "tasks/get").len(), 0);
        // No modern client knows such a task.
        let params = format!(r#"{{"name":"some","task":{{"ttl":1}},{}}}"#, meta(false));
        let answer = exchange(&mut client, "tools/call", &params).await;
        assert_eq!(
            answer,
            result_line("tools/call", &in_era(Era::Modern, RESULT))
        );
        let call = &server.calls()[1];
        assert_eq!(String::from_utf8_lossy(call).matches("task").count(), 1);
    }
}

#[tokio::test]
async fn no_task_is_made_of_a_call_that_needs_none() {
    // Neither by the tool's own word, nor where the server has no tasks (MCP 2025-11-25 § Tasks,
    // Tool-Level Negotiation 1).
    for (support, capabilities) in [
        ("optional", server::LEGACY),
        ("forbidden", server::LEGACY),
        ("required", r#"{"tools":{}}"#),
        (
            "required",
            r#"{"tools":{},"tasks":{"list":{},"requests":{}}}"#,
        ),
    ] {
        let server = upstream::legacy().capabilities(capabilities);
        let server = server.tool_raw(&tool("run", support)).start().await;
        for client_era in ERAS {
            let mut client = proxy::new().upstream("a", &server).start().await;
            if client_era == Era::Legacy {
                client.initialize().await;
            }
            let answer = ask(&mut client, "tools/call", &call(client_era, "run")).await;
            assert!(answer["result"]["content"].is_array(), "{answer}");
        }
        for call in server.calls() {
            let call = String::from_utf8(call).unwrap();
            assert!(!call.contains("task"), "{call}");
        }
    }
}

#[tokio::test]
async fn a_task_that_fails_answers_with_what_it_failed_of() {
    for (status, result, client_era) in [
        ("failed", "error", Era::Legacy),
        ("failed", "error", Era::Modern),
        ("cancelled", "error", Era::Legacy),
        ("failed", "result", Era::Legacy),
    ] {
        let error = r#"{ "code":-32000.0,"message":"\u0061","data":[1.0]}"#;
        let is_error = r#"{"content":[],"isError":true,"n":1.0}"#;
        let server = server::legacy("t", &Course::new([status]));
        let server = server.answers("tasks/result", move |request| match result {
            "error" => error_to(request, error),
            _ => is_error.into(),
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        if client_era == Era::Legacy {
            client.initialize().await;
        }
        let answer = exchange(&mut client, "tools/call", &call(client_era, "run")).await;
        let expected = match result {
            "error" => error,
            _ => is_error,
        };
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","{result}":{expected}}}"#);
        assert_eq!(answer, expected);
        assert_eq!(asked(&server, "tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn task_needing_input_is_asked_for_its_result_with_questions() {
    let course = Course::new(["working", "input_required"]);
    let server = server::legacy("t", &course).guarded(|request| async move {
        // The result comes on a stream, after what the server has to say before it.
        let id = String::from_utf8(request.id_bytes()?).ok()?;
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p", "progress": 1}});
        let events = [progress.to_string(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{RESULT}}}"#)];
        let events = events.map(testkit::raw::event);
        request.is("tasks/result").then(|| Reply::sse(events))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let call = r#"{"name":"run","_meta":{"progressToken":"p"}}"#;
    let answer = exchange(&mut client, "tools/call", call).await;
    assert_eq!(answer, result_line("tools/call", RESULT));
    let lines = client.received();
    let progress = lines
        .iter()
        .position(|line| String::from_utf8_lossy(line).contains("notifications/progress"));
    assert_eq!(progress, Some(lines.len() - 2));
    // The token is the call's alone.
    for method in ["tasks/get", "tasks/result"] {
        assert!(!asked(&server, method)[0].text().contains("progressToken"));
    }
}

#[tokio::test]
async fn news_of_a_task_that_the_client_does_not_know_do_not_reach_it() {
    let course = Course::new(["working"]);
    let server = server::legacy("t", &course).answers("tasks/list", |_| {
        format!(
            r#"{{"tasks":[{},{}]}}"#,
            task("t", "working"),
            task("u", "working")
        )
        .into()
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    client.tools().await;
    let id = client
        .send_request("tools/call", json!({"name": "run"}))
        .await;
    server
        .raw
        .wait_for_count(2, |request| request.is("tasks/get"))
        .await;
    for id in ["t", "u"] {
        let params = task_id(id).to_string();
        server.notify("notifications/tasks/status", &params).await;
    }
    let notification = client.notification("notifications/tasks/status").await;
    assert_eq!(notification["params"]["taskId"], "u");
    // Nor is it in the list.
    let listed = exchange(&mut client, "tasks/list", "{}").await;
    let expected = format!(r#"{{"tasks":[{}]}}"#, task("u", "working"));
    assert_eq!(listed, result_line("tasks/list", &expected));
    course.set("completed");
    assert!(client.response(id).await["result"]["content"].is_array());
}

#[tokio::test]
async fn a_modern_client_hears_nothing_of_legacy_tasks() {
    let course = Course::new(["working", "completed"]);
    let server = server::legacy("t", &course).guarded(|request| async move {
        let id = String::from_utf8(request.id_bytes()?).ok()?;
        let status = json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {"taskId": "u"}});
        let events = [status.to_string(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{RESULT}}}"#)];
        let events = events.map(testkit::raw::event);
        request.is("tasks/result").then(|| Reply::sse(events))
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let answer = client
        .request("tools/call", with_meta(json!({"name": "run"})))
        .await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(client.received().len(), 1);
}
