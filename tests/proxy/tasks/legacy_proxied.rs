//! Proxied tasks of legacy servers: tools that require a task, called by clients without tasks.

use serde_json::json;

use crate::tasks::server::{self, RESULT, Statuses, error_to, task, tool};
use crate::tasks::{exchange_json, meta, params_of, result_line, task_id};
use testkit::proxy::{self, with_meta};
use testkit::upstream::{self, Builder};
use testkit::verbatim::ERAS;
use testkit::{raw::Reply, verbatim::Era};

/// The result of a legacy server as a client of this era receives it.
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
async fn call_gets_the_result_of_its_task() {
    let kinds: [fn() -> Builder; 3] = [
        upstream::legacy,
        || upstream::legacy().sse_replies(),
        upstream::http_sse,
    ];
    for client_era in ERAS {
        for builder in kinds {
            let statuses = Statuses::new(["working", "working", "unheard-of", "completed"]);
            let server = server::with_task(builder(), "t\\n", &statuses)
                .start()
                .await;
            let mut client = proxy::new().upstream("a", &server).start().await;
            if client_era == Era::Legacy {
                client.initialize().await;
            }
            let answer = client
                .exchange_request("tools/call", &call(client_era, "run"))
                .await;
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
            let polls = server.requests_of("tasks/get");
            assert_eq!(polls.len(), 4);
            for poll in polls.iter().chain(&server.requests_of("tasks/result")) {
                assert_eq!(params_of(poll), task_id("t\n"));
                assert!(
                    !poll.text().contains("modelcontextprotocol"),
                    "{}",
                    poll.text()
                );
            }
            assert_eq!(server.requests_of("tasks/result").len(), 1);
            client.close().await;
            assert_eq!(server.requests_of("tasks/cancel").len(), 0);
        }
    }
}

#[tokio::test]
async fn call_gets_the_task_if_its_client_supports_tasks() {
    for support in ["required", "optional"] {
        let statuses = Statuses::new(["completed"]);
        let server = server::legacy("t", &statuses).tool_raw(&tool("some", support));
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        let created =
            exchange_json(&mut client, "tools/call", r#"{"name":"some","task":{}}"#).await;
        assert_eq!(created["result"]["task"]["taskId"], "t", "{created}");
        assert_eq!(server.requests_of("tasks/get").len(), 0);
        // No modern client supports tasks of 2025-11-25.
        let params = format!(r#"{{"name":"some","task":{{"ttl":1}},{}}}"#, meta(false));
        let answer = client.exchange_request("tools/call", &params).await;
        assert_eq!(
            answer,
            result_line("tools/call", &in_era(Era::Modern, RESULT))
        );
        let call = &server.calls()[1];
        assert_eq!(String::from_utf8_lossy(call).matches("task").count(), 1);
    }
}

#[tokio::test]
async fn no_task_is_created_unless_the_tool_requires_it() {
    // The tool does not require a task, or the server does not support tasks (MCP 2025-11-25 § Tasks,
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
            let answer = exchange_json(&mut client, "tools/call", &call(client_era, "run")).await;
            assert!(answer["result"]["content"].is_array(), "{answer}");
        }
        for call in server.calls() {
            let call = String::from_utf8(call).unwrap();
            assert!(!call.contains("task"), "{call}");
        }
    }
}

#[tokio::test]
async fn error_of_a_failed_task_passes_byte_for_byte() {
    for (status, result, client_era) in [
        ("failed", "error", Era::Legacy),
        ("failed", "error", Era::Modern),
        ("cancelled", "error", Era::Legacy),
        ("failed", "result", Era::Legacy),
    ] {
        let error = r#"{ "code":-32000.0,"message":"\u0061","data":[1.0]}"#;
        let is_error = r#"{"content":[],"isError":true,"n":1.0}"#;
        let server = server::legacy("t", &Statuses::new([status]));
        let server = server.answers("tasks/result", move |request| match result {
            "error" => error_to(request, error),
            _ => is_error.into(),
        });
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        if client_era == Era::Legacy {
            client.initialize().await;
        }
        let answer = client
            .exchange_request("tools/call", &call(client_era, "run"))
            .await;
        let expected = match result {
            "error" => error,
            _ => is_error,
        };
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","{result}":{expected}}}"#);
        assert_eq!(answer, expected);
        assert_eq!(server.requests_of("tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn result_is_requested_when_a_task_requires_input() {
    let statuses = Statuses::new(["working", "input_required"]);
    let server = server::legacy("t", &statuses).guarded(|request| async move {
        // The result follows a progress notification on the same event stream.
        let id = String::from_utf8(request.id_bytes()?).ok()?;
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p", "progress": 1}});
        let events = [progress.to_string(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{RESULT}}}"#)];
        let events = events.map(testkit::raw::event);
        request.is("tasks/result").then(|| Reply::sse(events))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let call = r#"{"name":"run","_meta":{"progressToken":"p"}}"#;
    let answer = client.exchange_request("tools/call", call).await;
    assert_eq!(answer, result_line("tools/call", RESULT));
    let lines = client.received();
    let progress = lines
        .iter()
        .position(|line| String::from_utf8_lossy(line).contains("notifications/progress"));
    assert_eq!(progress, Some(lines.len() - 2));
    // Only the call carries the progress token.
    for method in ["tasks/get", "tasks/result"] {
        assert!(
            !server.requests_of(method)[0]
                .text()
                .contains("progressToken")
        );
    }
}

#[tokio::test]
async fn notifications_of_a_proxied_task_do_not_reach_the_client() {
    let statuses = Statuses::new(["working"]);
    let server = server::legacy("t", &statuses).answers("tasks/list", |_| {
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
    // The proxied task is not listed either.
    let listed = client.exchange_request("tasks/list", "{}").await;
    let expected = format!(r#"{{"tasks":[{}]}}"#, task("u", "working"));
    assert_eq!(listed, result_line("tasks/list", &expected));
    statuses.set("completed");
    assert!(client.response(id).await["result"]["content"].is_array());
}

#[tokio::test]
async fn modern_client_gets_no_notifications_of_legacy_tasks() {
    let statuses = Statuses::new(["working", "completed"]);
    let server = server::legacy("t", &statuses).guarded(|request| async move {
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
