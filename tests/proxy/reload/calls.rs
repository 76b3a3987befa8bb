//! Calls that are under way when their upstream is changed or removed.

use serde_json::{Value, json};

use crate::reload::{DONE, File, TOOLS, entry, said, text};
use testkit::gate::Gate;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    call_in_flight_is_answered_whatever_happens_to_its_upstream
}

async fn call_in_flight_is_answered_whatever_happens_to_its_upstream(kind: Kind) {
    tokio::join!(finished(true, kind), finished(false, kind));
}

/// `stays`: whether there is an upstream of the name afterwards.
async fn finished(stays: bool, kind: Kind) {
    let gate = Gate::closed();
    let old = kind.server().tool("search").held_by(&gate).start().await;
    let new = kind.server().tool("search").tool("find").start().await;
    let file = File::of(&[entry("a", &old)]);
    let mut client = file.legacy().await;
    let params = json!({"name": "search", "arguments": {"n": 1}});
    let id = client.send_request("tools/call", params).await;
    old.wait_for_calls(1).await;

    match stays {
        true => file.write(&[entry("a", &new)]),
        false => file.write(&[entry("b", &new)]),
    }
    client.notification(TOOLS).await;
    said(&client, DONE, 1).await;
    let answer = client.call("search", json!({"n": 2})).await;
    assert!(text(&answer).contains('2'), "{stays}: {answer}");
    assert_eq!((old.calls().len(), new.calls().len()), (1, 1));
    if kind == Kind::Legacy {
        assert_eq!(old.sessions(), 1, "its session is still needed");
    }

    gate.open();
    let answer = client.response(id).await;
    assert!(answer["result"].is_object(), "{stays}: {answer}");
    match kind {
        Kind::Legacy => drop(old.raw.wait_for(|request| request.method == "DELETE").await),
        _ => ended(&old).await,
    }
}

/// Waits until the stream on which the server could speak unasked is closed.
async fn ended(server: &upstream::Upstream) {
    let is_closed = || {
        let closed = server.raw.disconnects();
        closed
            .iter()
            .any(|request| request.method == "GET" || request.is("subscriptions/listen"))
    };
    server
        .raw
        .wait_until("the end of its stream", is_closed)
        .await;
}

#[tokio::test]
async fn a_call_under_way_is_finished_when_only_the_timeout_changes() {
    let gate = Gate::closed();
    let a = upstream::modern()
        .tool("search")
        .held_by(&gate)
        .start()
        .await;
    let file = File::of(&[entry("a", &a)]);
    let mut client = file.modern().await;
    let params = testkit::proxy::with_meta(json!({"name": "search", "arguments": {}}));
    let id = client.send_request("tools/call", params).await;
    a.wait_for_calls(1).await;
    file.write(&[crate::reload::entry_with("a", &a, json!({"timeout": "1m"}))]);
    said(&client, DONE, 1).await;
    gate.open();
    let answer = client.response(id).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(crate::reload::told(&client, TOOLS), 0);
}

/// A server whose `work` asks once, and says what it heard.
async fn asking() -> upstream::Upstream {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let form = r#"{"message":"Name?","requestedSchema":{"type":"object","properties":{}}}"#;
        let heard = call.ask("\"q\"", "elicitation/create", form).await;
        let heard: Value = serde_json::from_slice(&heard).unwrap();
        json!({"content": [], "heard": heard["result"]["action"]})
            .to_string()
            .into_bytes()
    });
    server.start().await
}

#[tokio::test]
async fn suspended_call_resumes_at_its_upstream_unless_removed() {
    for stays in [true, false] {
        let (old, new) = (asking().await, asking().await);
        let file = File::of(&[entry("a", &old)]);
        let mut client = file.proxy().start().await;
        client.declare(json!({"elicitation": {"form": {}}}));
        let mut params = json!({"name": "work", "arguments": {}});
        let asked = client.ask("tools/call", params.clone()).await;
        let asked = &asked["result"];
        let (key, _) = asked["inputRequests"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        params["inputResponses"] = json!({(key.clone()): {"action": "accept", "content": {}}});
        params["requestState"] = asked["requestState"].clone();

        file.write(&[entry(if stays { "a" } else { "b" }, &new)]);
        said(&client, DONE, 1).await;
        if !stays {
            let cancelled = old.wait_for_cancelled().await;
            let cancelled: Value = serde_json::from_slice(&cancelled).unwrap();
            assert_eq!(cancelled["method"], "notifications/cancelled");
        }
        let answer = client.ask("tools/call", params).await;
        match stays {
            true => assert_eq!(answer["result"]["heard"], "accept", "{answer}"),
            false => {
                let why = answer["error"]["message"].as_str().unwrap();
                assert!(
                    why.contains("no call waits under this `requestState`"),
                    "{why}"
                );
            }
        }
        assert!(new.calls().is_empty());
        old.raw.wait_for(|request| request.method == "DELETE").await;
    }
}

#[tokio::test]
async fn task_of_a_removed_upstream_is_unknown_and_not_asked_about() {
    let task = r#"{"taskId":"t-1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":null}"#;
    let serving = || {
        let tasks =
            r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#;
        let server = upstream::legacy().capabilities(tasks).tool("run");
        let created = format!(r#"{{"task":{task}}}"#);
        let server = server.reply_with(move |_| created.clone().into_bytes());
        server.result("tasks/get", task)
    };
    let (a, b) = (serving().start().await, serving().start().await);
    let file = File::of(&[entry("a", &a), entry("b", &b)]);
    let mut client = file.legacy().await;
    let call = json!({"name": "run", "arguments": {}, "task": {"ttl": 60000}});
    let created = client.request("tools/call", call).await;
    assert_eq!(created["result"]["task"]["taskId"], "t-1", "{created}");

    // The one that is there now is asked, where it has the name.
    file.write(&[
        crate::reload::entry_with("a", &a, json!({"timeout": "1m"})),
        entry("b", &b),
    ]);
    said(&client, DONE, 1).await;
    let found = client.request("tasks/get", json!({"taskId": "t-1"})).await;
    assert_eq!(found["result"]["status"], "working", "{found}");

    file.write(&[entry("b", &b)]);
    said(&client, DONE, 2).await;
    let gone = client.request("tasks/get", json!({"taskId": "t-1"})).await;
    let message = gone["error"]["message"].as_str().unwrap();
    assert!(message.contains("`a` did not answer `tasks/get`: it is no longer configured"));
    assert_eq!(gone["error"]["data"]["outcome"], "not run");
    assert!(b.asks("tasks/get").is_empty());
}
