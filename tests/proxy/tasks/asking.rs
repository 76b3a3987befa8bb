//! Tasks of modern servers that need input, called by legacy clients: those are asked by requests,
//! and the task is told by `tasks/update` (SEP-2663).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::tasks::server::{self, Course, RESULT, knows_tasks};
use crate::tasks::{asked, line, params_of, result_line, task_id};
use testkit::json::bytes_of;
use testkit::proxy::{self, Client};
use testkit::raw::{Reply, Request};
use testkit::upstream::{Builder, Upstream};

/// What a task asks, under a key that a parser and a printer would change.
const PERSON: &str = r#""\u006bey /1":{ "method":"elicitation/create","params":{"mode":"form","message":"?","n":1.0}}"#;
const OTHER: &str =
    r#""b":{"method":"elicitation/create","params":{"mode":"form","message":"??"}}"#;
const MODEL: &str =
    r#""m":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;

/// A state of a task that asks these things.
fn needs(questions: &[&str]) -> String {
    let questions = questions.join(" ,");
    format!(r#"input_required ,"inputRequests":{{{questions}}}"#)
}

fn completed() -> String {
    format!(r#"completed ,"result":{RESULT}"#)
}

/// A server whose task asks these things until it is told, and then is completed.
fn asking(questions: &[&str]) -> Builder {
    let course = Course::new([&*needs(questions)]);
    let task = course.clone();
    server::modern("t", &course).answers("tasks/update", move |_| {
        task.set(&completed());
        br#"{"resultType":"complete"}"#.to_vec()
    })
}

/// A legacy client that declares elicitation and sampling, and has called `run`.
async fn calling(server: &Upstream) -> Client {
    let mut client = proxy::new().upstream("a", server).start().await;
    let capabilities = json!({"elicitation": {}, "sampling": {}});
    client.initialize_with(capabilities).await;
    let call = line(r#""tools/call""#, "tools/call", r#"{"name":"run"}"#);
    client.send_line(call).await;
    client
}

/// The line that answers the call.
async fn answer(client: &mut Client) -> String {
    let answer = client.answer_to(r#""tools/call""#).await;
    String::from_utf8(answer).unwrap()
}

/// The bytes of the `inputResponses` of each `tasks/update` so far.
fn updates(server: &Upstream) -> Vec<String> {
    let updates = asked(server, "tasks/update");
    let responses = |update: &Request| {
        assert_eq!(update.json()["params"]["taskId"], "t");
        assert!(knows_tasks(update), "{}", update.text());
        bytes_of(&update.body, &["params", "inputResponses"]).to_owned()
    };
    updates.iter().map(responses).collect()
}

#[tokio::test]
async fn the_client_is_asked_and_its_answer_reaches_the_task() {
    let server = asking(&[PERSON]).start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_line("elicitation/create").await;
    let params = bytes_of(&question, &["params"]);
    assert_eq!(params, r#"{"mode":"form","message":"?","n":1.0}"#);
    let given = r#"{ "action":"accept","content":{"x":1.50 ,"y":"\u00fc"}}"#;
    client.answer_with(&question, given).await;
    assert_eq!(answer(&mut client).await, result_line("tools/call", RESULT));
    let expected = format!(r#"{{"\u006bey /1":{given}}}"#);
    assert_eq!(updates(&server), [expected]);
    client.close().await;
    assert_eq!(asked(&server, "tasks/cancel").len(), 0);
}

#[tokio::test]
async fn unanswered_question_is_cancelled_but_not_its_task() {
    let server = asking(&[PERSON]).start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_line("elicitation/create").await;
    client
        .answer(&question, r#""error":{"code":-1,"message":"no"}"#)
        .await;
    assert_eq!(answer(&mut client).await, result_line("tools/call", RESULT));
    assert_eq!(updates(&server), [r#"{"\u006bey /1":{"action":"cancel"}}"#]);
}

#[tokio::test]
async fn several_keys_are_asked_at_once_and_answered_together() {
    let server = asking(&[PERSON, OTHER, MODEL]).start().await;
    let mut client = calling(&server).await;
    let questions = [
        client.incoming_line("sampling/createMessage").await,
        client.incoming_line("elicitation/create").await,
        client.incoming_line("elicitation/create").await,
    ];
    // Whatever the order of the answers, each comes under its own key.
    for question in &questions {
        let params: Value = serde_json::from_str(bytes_of(question, &["params"])).unwrap();
        let given = json!({"to": params["message"]});
        client
            .answer(question, &format!(r#""result":{given}"#))
            .await;
    }
    assert_eq!(answer(&mut client).await, result_line("tools/call", RESULT));
    let expected = r#"{"\u006bey /1":{"to":"?"},"b":{"to":"??"},"m":{"to":null}}"#;
    assert_eq!(updates(&server), [expected]);
}

#[tokio::test]
async fn a_key_is_asked_once_in_the_life_of_its_task() {
    // The server shows its question for some looks after the answer, in other bytes, and then another.
    let same = PERSON.replace(r"\u006b", "k");
    let (shown, both) = (needs(&[&same]), needs(&[&same, OTHER]));
    let first = needs(&[PERSON]);
    let course = [
        &*first,
        &shown,
        &shown,
        &both,
        &shown,
        "working",
        &completed(),
    ];
    let server = server::modern("t", &Course::new(course)).start().await;
    let mut client = calling(&server).await;
    for message in ["?", "??"] {
        let question = client.incoming_request("elicitation/create").await;
        assert_eq!(question["params"]["message"], message);
        client
            .respond(&question, json!({"action": "decline"}))
            .await;
    }
    assert_eq!(answer(&mut client).await, result_line("tools/call", RESULT));
    assert_eq!(client.server_requests().len(), 2);
    let decline = r#"{"action":"decline"}"#;
    let expected = [
        format!(r#"{{"\u006bey /1":{decline}}}"#),
        format!(r#"{{"b":{decline}}}"#),
    ];
    assert_eq!(updates(&server), expected);
}

#[tokio::test]
async fn lost_answer_is_resent_without_asking_again() {
    let lost = Arc::new(AtomicUsize::new(0));
    let server = asking(&[PERSON]).intercept(move |request| {
        let losing = request.is("tasks/update") && lost.fetch_add(1, Ordering::Relaxed) < 2;
        losing.then(Reply::reset)
    });
    let server = server.start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_request("elicitation/create").await;
    client
        .respond(&question, json!({"action": "decline"}))
        .await;
    assert_eq!(answer(&mut client).await, result_line("tools/call", RESULT));
    assert_eq!(client.server_requests().len(), 1);
    let updates = updates(&server);
    assert!(updates.len() >= 3, "{updates:?}");
    assert!(
        updates.iter().all(|update| *update == updates[0]),
        "{updates:?}"
    );
}

#[tokio::test]
async fn cancelled_call_cancels_its_question_and_its_task() {
    let server = asking(&[PERSON]).start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_request("elicitation/create").await;
    let cancelled = json!({"requestId": "tools/call"});
    client.notify("notifications/cancelled", cancelled).await;
    let taken_back = client.notification("notifications/cancelled").await;
    assert_eq!(taken_back["params"]["requestId"], question["id"]);
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(updates(&server).len(), 0);
}

#[tokio::test]
async fn refused_sampling_ends_the_call_and_cancels_its_task() {
    let server = asking(&[MODEL]).start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_line("sampling/createMessage").await;
    let error = r#"{"code":-1.0,"message":"n\u006f"}"#;
    client
        .answer(&question, &format!(r#""error":{error}"#))
        .await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","error":{error}}}"#);
    assert_eq!(answer(&mut client).await, expected);
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(updates(&server).len(), 0);
}

#[tokio::test]
async fn an_answer_that_the_server_refuses_is_an_error_that_says_so() {
    let server = asking(&[PERSON]).answers("tasks/update", |request| {
        server::error_to(request, r#"{"code":-32602,"message":"bad"}"#)
    });
    let server = server.start().await;
    let mut client = calling(&server).await;
    let question = client.incoming_request("elicitation/create").await;
    client
        .respond(&question, json!({"action": "decline"}))
        .await;
    let answer = answer(&mut client).await;
    assert!(answer.contains("did not take your input"), "{answer}");
    server.wait_for_request("tasks/cancel").await;
}
