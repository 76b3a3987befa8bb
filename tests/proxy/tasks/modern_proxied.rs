//! Proxied tasks of modern servers: tools that require a task, called by clients without the extension.

use serde_json::json;

use crate::tasks::server::{self, MISSING_CAPABILITY, RESULT, Statuses, declares_tasks, error_to};
use crate::tasks::{meta, params_of, result_line, task_id};
use testkit::proxy::{self, Client};
use testkit::upstream;
use testkit::upstream::Upstream;
use testkit::verbatim::{ERAS, Era};

/// Calls `run` in this era and returns the response line.
async fn call_run(server: &Upstream, client_era: Era) -> (Client, String) {
    let mut client = proxy::new().upstream("a", server).start().await;
    let call = match client_era {
        Era::Legacy => {
            client.initialize().await;
            r#"{"name":"run" ,"arguments":{"n":1.0},"_meta":{"traceparent":"x"}}"#.to_owned()
        }
        Era::Modern => format!(
            r#"{{"name":"run" ,"arguments":{{"n":1.0}},{}}}"#,
            meta(false)
        ),
    };
    let answer = client.exchange_request("tools/call", &call).await;
    (client, answer)
}

#[tokio::test]
async fn call_gets_the_result_of_its_task() {
    for client_era in ERAS {
        let completed = format!(r#"completed ,"result":{RESULT}"#);
        let statuses = Statuses::new(["working", "working", &completed]);
        let server = server::modern("t ä", &statuses).start().await;
        let (mut client, answer) = call_run(&server, client_era).await;
        let result = match client_era {
            Era::Legacy => RESULT.to_owned(),
            Era::Modern => RESULT.replacen('{', r#"{"resultType":"complete","#, 1),
        };
        assert_eq!(answer, result_line("tools/call", &result));
        // The server rejects the call without the extension. The proxy retries it with the extension.
        let calls = server.requests_of("tools/call");
        let declared: Vec<_> = calls.iter().map(declares_tasks).collect();
        assert_eq!(declared, [false, true]);
        for call in &calls {
            let expected = json!({"name": "run", "arguments": {"n": 1.0}});
            assert_eq!(params_of(call), expected);
        }
        let polls = server.requests_of("tasks/get");
        assert_eq!(polls.len(), 3);
        for poll in &polls {
            assert_eq!(params_of(poll), task_id("t ä"));
            let traced = client_era == Era::Legacy;
            assert_eq!(poll.text().contains("traceparent"), traced);
        }
        client.close().await;
        assert_eq!(server.requests_of("tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn error_of_a_failed_task_passes_byte_for_byte() {
    for client_era in ERAS {
        let error = r#"{ "code":-32000.0,"message":"\u0061","data":[1.0]}"#;
        let statuses = Statuses::new([&*format!(r#"failed ,"error":{error}"#)]);
        let server = server::modern("t", &statuses).start().await;
        let (_, answer) = call_run(&server, client_era).await;
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","error":{error}}}"#);
        assert_eq!(answer, expected);
        assert_eq!(server.requests_of("tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn error_names_why_a_task_has_no_result() {
    let needs_input =
        r#"input_required ,"inputRequests":{"k":{"method":"elicitation/create","params":{}}}"#;
    for (status, words, eras) in [
        (
            r#"cancelled ,"statusMessage":"too late""#,
            "was cancelled (too late)",
            &ERAS[..],
        ),
        ("completed", "without a result", &ERAS),
        // A legacy client must have declared elicitation. A modern client cannot receive the request.
        (
            needs_input,
            "which the client did not declare",
            &[Era::Legacy],
        ),
        (needs_input, "needs input", &[Era::Modern]),
    ] {
        for &client_era in eras {
            let server = server::modern("t", &Statuses::new([status])).start().await;
            let (client, answer) = call_run(&server, client_era).await;
            assert!(answer.contains(words), "{answer}");
            assert!(answer.contains(r#""outcome":"unknown""#), "{answer}");
            // The task may still be running, so it is cancelled.
            let cancel = server.wait_for_request("tasks/cancel").await;
            assert_eq!(params_of(&cancel), task_id("t"));
            assert!(declares_tasks(&cancel));
            drop(client);
        }
    }
}

#[tokio::test]
async fn second_capability_error_of_a_server_passes() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|request| error_to(request, MISSING_CAPABILITY));
    let server = server.start().await;
    let (_, answer) = call_run(&server, Era::Legacy).await;
    assert!(answer.contains(MISSING_CAPABILITY), "{answer}");
    assert_eq!(server.calls().len(), 2);
    // One that lacks something else is asked once.
    let other = MISSING_CAPABILITY.replace(
        "io.modelcontextprotocol/tasks",
        "io.modelcontextprotocol/ui",
    );
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let refusal = other.clone();
    let server = server.reply_with(move |request| error_to(request, &refusal));
    let server = server.start().await;
    let (_, answer) = call_run(&server, Era::Legacy).await;
    assert!(answer.contains(&other), "{answer}");
    assert_eq!(server.calls().len(), 1);
}
