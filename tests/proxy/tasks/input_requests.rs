//! Modern tasks that require input from a legacy client.
//!
//! The proxy turns input requests into server requests, and sends the responses to the server by
//! `tasks/update` (SEP-2663).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::tasks::server::{self, RESULT, Statuses, declares_tasks};
use crate::tasks::{params_of, result_line, task_id};
use testkit::json::{bytes_of, request_line};
use testkit::proxy::{self, Client};
use testkit::raw::{Reply, Request};
use testkit::upstream::{Builder, Upstream};

/// An input request under a key whose spelling a parse and a print would change.
const ELICITATION: &str = r#""\u006bey /1":{ "method":"elicitation/create","params":{"mode":"form","message":"?","n":1.0}}"#;
const SECOND_ELICITATION: &str =
    r#""b":{"method":"elicitation/create","params":{"mode":"form","message":"??"}}"#;
const SAMPLING: &str =
    r#""m":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;

/// The status of a task with these input requests.
fn input_required(input_requests: &[&str]) -> String {
    let input_requests = input_requests.join(" ,");
    format!(r#"input_required ,"inputRequests":{{{input_requests}}}"#)
}

fn completed() -> String {
    format!(r#"completed ,"result":{RESULT}"#)
}

/// A server whose task requires this input until `tasks/update`, and is completed then.
fn server_requiring_input(input_requests: &[&str]) -> Builder {
    let statuses = Statuses::new([&*input_required(input_requests)]);
    let task = statuses.clone();
    server::modern("t", &statuses).answers("tasks/update", move |_| {
        task.set(&completed());
        br#"{"resultType":"complete"}"#.to_vec()
    })
}

/// Starts a legacy client that declares elicitation and sampling, and calls `run`.
async fn start_and_call(server: &Upstream) -> Client {
    let mut client = proxy::new().upstream("a", server).start().await;
    let capabilities = json!({"elicitation": {}, "sampling": {}});
    client.initialize_with(capabilities).await;
    let call = request_line(r#""tools/call""#, "tools/call", r#"{"name":"run"}"#);
    client.send_line(call).await;
    client
}

/// The response line of the call.
async fn response_line(client: &mut Client) -> String {
    let answer = client.answer_to(r#""tools/call""#).await;
    String::from_utf8(answer).unwrap()
}

/// The bytes of `inputResponses` in each `tasks/update` so far.
fn updates(server: &Upstream) -> Vec<String> {
    let updates = server.requests_of("tasks/update");
    let responses = |update: &Request| {
        assert_eq!(update.json()["params"]["taskId"], "t");
        assert!(declares_tasks(update), "{}", update.text());
        bytes_of(&update.body, &["params", "inputResponses"]).to_owned()
    };
    updates.iter().map(responses).collect()
}

#[tokio::test]
async fn response_to_an_input_request_reaches_the_task() {
    let server = server_requiring_input(&[ELICITATION]).start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_line("elicitation/create").await;
    let params = bytes_of(&server_request, &["params"]);
    assert_eq!(params, r#"{"mode":"form","message":"?","n":1.0}"#);
    let response = r#"{ "action":"accept","content":{"x":1.50 ,"y":"\u00fc"}}"#;
    client.answer_with(&server_request, response).await;
    assert_eq!(
        response_line(&mut client).await,
        result_line("tools/call", RESULT)
    );
    let expected = format!(r#"{{"\u006bey /1":{response}}}"#);
    assert_eq!(updates(&server), [expected]);
    client.close().await;
    assert_eq!(server.requests_of("tasks/cancel").len(), 0);
}

#[tokio::test]
async fn error_response_cancels_the_elicitation_but_not_the_task() {
    let server = server_requiring_input(&[ELICITATION]).start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_line("elicitation/create").await;
    client
        .answer(&server_request, r#""error":{"code":-1,"message":"no"}"#)
        .await;
    assert_eq!(
        response_line(&mut client).await,
        result_line("tools/call", RESULT)
    );
    assert_eq!(updates(&server), [r#"{"\u006bey /1":{"action":"cancel"}}"#]);
}

#[tokio::test]
async fn input_requests_are_sent_at_once_and_answered_together() {
    let server = server_requiring_input(&[ELICITATION, SECOND_ELICITATION, SAMPLING])
        .start()
        .await;
    let mut client = start_and_call(&server).await;
    let input_requests = [
        client.incoming_line("sampling/createMessage").await,
        client.incoming_line("elicitation/create").await,
        client.incoming_line("elicitation/create").await,
    ];
    // Each response gets the key of its request, in any order of responses.
    for server_request in &input_requests {
        let params: Value = serde_json::from_str(bytes_of(server_request, &["params"])).unwrap();
        let response = json!({"to": params["message"]});
        client
            .answer(server_request, &format!(r#""result":{response}"#))
            .await;
    }
    assert_eq!(
        response_line(&mut client).await,
        result_line("tools/call", RESULT)
    );
    let expected = r#"{"\u006bey /1":{"to":"?"},"b":{"to":"??"},"m":{"to":null}}"#;
    assert_eq!(updates(&server), [expected]);
}

#[tokio::test]
async fn input_request_is_sent_once_per_key_and_task() {
    // Some polls after the response repeat its input request in other bytes. A new one follows.
    let same = ELICITATION.replace(r"\u006b", "k");
    let (repeated, both) = (
        input_required(&[&same]),
        input_required(&[&same, SECOND_ELICITATION]),
    );
    let first = input_required(&[ELICITATION]);
    let statuses = [
        &*first,
        &repeated,
        &repeated,
        &both,
        &repeated,
        "working",
        &completed(),
    ];
    let server = server::modern("t", &Statuses::new(statuses)).start().await;
    let mut client = start_and_call(&server).await;
    for message in ["?", "??"] {
        let server_request = client.incoming_request("elicitation/create").await;
        assert_eq!(server_request["params"]["message"], message);
        client
            .respond(&server_request, json!({"action": "decline"}))
            .await;
    }
    assert_eq!(
        response_line(&mut client).await,
        result_line("tools/call", RESULT)
    );
    assert_eq!(client.server_requests().len(), 2);
    let decline = r#"{"action":"decline"}"#;
    let expected = [
        format!(r#"{{"\u006bey /1":{decline}}}"#),
        format!(r#"{{"b":{decline}}}"#),
    ];
    assert_eq!(updates(&server), expected);
}

#[tokio::test]
async fn lost_update_is_resent_without_a_second_server_request() {
    let lost = Arc::new(AtomicUsize::new(0));
    let server = server_requiring_input(&[ELICITATION]).intercept(move |request| {
        let is_lost = request.is("tasks/update") && lost.fetch_add(1, Ordering::Relaxed) < 2;
        is_lost.then(Reply::reset)
    });
    let server = server.start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_request("elicitation/create").await;
    client
        .respond(&server_request, json!({"action": "decline"}))
        .await;
    assert_eq!(
        response_line(&mut client).await,
        result_line("tools/call", RESULT)
    );
    assert_eq!(client.server_requests().len(), 1);
    let updates = updates(&server);
    assert!(updates.len() >= 3, "{updates:?}");
    assert!(
        updates.iter().all(|update| *update == updates[0]),
        "{updates:?}"
    );
}

#[tokio::test]
async fn cancelled_call_cancels_its_server_request_and_its_task() {
    let server = server_requiring_input(&[ELICITATION]).start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_request("elicitation/create").await;
    let cancelled = json!({"requestId": "tools/call"});
    client.notify("notifications/cancelled", cancelled).await;
    let notification = client.notification("notifications/cancelled").await;
    assert_eq!(notification["params"]["requestId"], server_request["id"]);
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(updates(&server).len(), 0);
}

#[tokio::test]
async fn rejected_sampling_fails_the_call_and_cancels_its_task() {
    let server = server_requiring_input(&[SAMPLING]).start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_line("sampling/createMessage").await;
    let error = r#"{"code":-1.0,"message":"n\u006f"}"#;
    client
        .answer(&server_request, &format!(r#""error":{error}"#))
        .await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"tools/call","error":{error}}}"#);
    assert_eq!(response_line(&mut client).await, expected);
    let cancel = server.wait_for_request("tasks/cancel").await;
    assert_eq!(params_of(&cancel), task_id("t"));
    assert_eq!(updates(&server).len(), 0);
}

#[tokio::test]
async fn call_fails_if_the_server_rejects_the_input() {
    let server = server_requiring_input(&[ELICITATION]).answers("tasks/update", |request| {
        server::error_to(request, r#"{"code":-32602,"message":"bad"}"#)
    });
    let server = server.start().await;
    let mut client = start_and_call(&server).await;
    let server_request = client.incoming_request("elicitation/create").await;
    client
        .respond(&server_request, json!({"action": "decline"}))
        .await;
    let answer = response_line(&mut client).await;
    assert!(answer.contains("did not take your input"), "{answer}");
    server.wait_for_request("tasks/cancel").await;
}
