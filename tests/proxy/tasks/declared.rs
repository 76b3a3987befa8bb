//! Tools of modern servers that run as a task alone, called by clients that do not know the extension.

use serde_json::json;

use crate::tasks::server::{self, Course, LACKING, RESULT, error_to, knows_tasks};
use crate::tasks::{asked, exchange, meta, params_of, result_line, task_id};
use testkit::proxy::{self, Client};
use testkit::upstream;
use testkit::upstream::Upstream;
use testkit::verbatim::{ERAS, Era};

/// Calls `run` in this era, and gives the line that answers it.
async fn run(server: &Upstream, client_era: Era) -> (Client, String) {
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
    let answer = exchange(&mut client, "tools/call", &call).await;
    (client, answer)
}

#[tokio::test]
async fn the_result_of_its_task_answers_the_call() {
    for client_era in ERAS {
        let completed = format!(r#"completed ,"result":{RESULT}"#);
        let course = Course::new(["working", "working", &completed]);
        let server = server::modern("t ä", &course).start().await;
        let (mut client, answer) = run(&server, client_era).await;
        let result = match client_era {
            Era::Legacy => RESULT.to_owned(),
            Era::Modern => RESULT.replacen('{', r#"{"resultType":"complete","#, 1),
        };
        assert_eq!(answer, result_line("tools/call", &result));
        // Refused as one that does not know the extension, and sent once more as one that does.
        let calls = asked(&server, "tools/call");
        let declared: Vec<_> = calls.iter().map(knows_tasks).collect();
        assert_eq!(declared, [false, true]);
        for call in &calls {
            let expected = json!({"name": "run", "arguments": {"n": 1.0}});
            assert_eq!(params_of(call), expected);
        }
        let looks = asked(&server, "tasks/get");
        assert_eq!(looks.len(), 3);
        for look in &looks {
            assert_eq!(params_of(look), task_id("t ä"));
            let traced = client_era == Era::Legacy;
            assert_eq!(look.text().contains("traceparent"), traced);
        }
        client.close().await;
        assert_eq!(asked(&server, "tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn a_task_that_fails_answers_with_what_it_failed_of() {
    for client_era in ERAS {
        let error = r#"{ "code":-32000.0,"message":"\u0061","data":[1.0]}"#;
        let course = Course::new([&*format!(r#"failed ,"error":{error}"#)]);
        let server = server::modern("t", &course).start().await;
        let (_, answer) = run(&server, client_era).await;
        let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","error":{error}}}"#);
        assert_eq!(answer, expected);
        assert_eq!(asked(&server, "tasks/cancel").len(), 0);
    }
}

#[tokio::test]
async fn a_task_without_a_result_is_an_error_that_says_why() {
    let asking =
        r#"input_required ,"inputRequests":{"k":{"method":"elicitation/create","params":{}}}"#;
    for (status, words, eras) in [
        (
            r#"cancelled ,"statusMessage":"too late""#,
            "was cancelled (too late)",
            &ERAS[..],
        ),
        ("completed", "without a result", &ERAS),
        // A legacy client could be asked, had it declared that; a modern one could not in any way.
        (asking, "which the client did not declare", &[Era::Legacy]),
        (asking, "needs input", &[Era::Modern]),
    ] {
        for &client_era in eras {
            let server = server::modern("t", &Course::new([status])).start().await;
            let (client, answer) = run(&server, client_era).await;
            assert!(answer.contains(words), "{answer}");
            assert!(answer.contains(r#""outcome":"unknown""#), "{answer}");
            // Whatever may still run is stopped.
            let cancel = server.wait_for_request("tasks/cancel").await;
            assert_eq!(params_of(&cancel), task_id("t"));
            assert!(knows_tasks(&cancel));
            drop(client);
        }
    }
}

#[tokio::test]
async fn server_refusing_in_any_case_is_asked_twice_and_believed() {
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let server = server.reply_with(|request| error_to(request, LACKING));
    let server = server.start().await;
    let (_, answer) = run(&server, Era::Legacy).await;
    assert!(answer.contains(LACKING), "{answer}");
    assert_eq!(server.calls().len(), 2);
    // One that lacks something else is asked once.
    let other = LACKING.replace(
        "io.modelcontextprotocol/tasks",
        "io.modelcontextprotocol/ui",
    );
    let server = upstream::modern().capabilities(server::MODERN).tool("run");
    let refusal = other.clone();
    let server = server.reply_with(move |request| error_to(request, &refusal));
    let server = server.start().await;
    let (_, answer) = run(&server, Era::Legacy).await;
    assert!(answer.contains(&other), "{answer}");
    assert_eq!(server.calls().len(), 1);
}
