//! Calls in progress while their upstream is changed or removed.

use serde_json::{Value, json};

use crate::reload::{ConfigFile, RELOADED, TOOLS, result_text, upstream_entry, wait_for_log};
use testkit::gate::Gate;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    call_completes_after_its_upstream_is_changed_or_removed
}

async fn call_completes_after_its_upstream_is_changed_or_removed(kind: Kind) {
    tokio::join!(call_completes(true, kind), call_completes(false, kind));
}

/// `stays`: whether an upstream of the same name remains.
async fn call_completes(stays: bool, kind: Kind) {
    let gate = Gate::closed();
    let old = kind.server().tool("search").held_by(&gate).start().await;
    let new = kind.server().tool("search").tool("find").start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &old)]);
    let mut client = file.legacy_client().await;
    let params = json!({"name": "search", "arguments": {"n": 1}});
    let id = client.send_request("tools/call", params).await;
    old.wait_for_calls(1).await;

    match stays {
        true => file.write(&[upstream_entry("a", &new)]),
        false => file.write(&[upstream_entry("b", &new)]),
    }
    client.notification(TOOLS).await;
    wait_for_log(&client, RELOADED, 1).await;
    let answer = client.call("search", json!({"n": 2})).await;
    assert!(result_text(&answer).contains('2'), "{stays}: {answer}");
    assert_eq!((old.calls().len(), new.calls().len()), (1, 1));
    if kind == Kind::Legacy {
        assert_eq!(old.sessions(), 1, "its session is still needed");
    }

    gate.open();
    let answer = client.response(id).await;
    assert!(answer["result"].is_object(), "{stays}: {answer}");
    match kind {
        Kind::Legacy => drop(old.raw.wait_for(|request| request.method == "DELETE").await),
        _ => wait_for_stream_end(&old).await,
    }
}

/// Waits until the server's event stream is closed.
async fn wait_for_stream_end(server: &upstream::Upstream) {
    let is_closed = || {
        let closed = server.raw.disconnects();
        closed
            .iter()
            .any(|request| request.method == "GET" || request.is("subscriptions/listen"))
    };
    server
        .raw
        .wait_until("the end of the event stream", is_closed)
        .await;
}

#[tokio::test]
async fn call_completes_after_a_change_of_its_timeout() {
    let gate = Gate::closed();
    let a = upstream::modern()
        .tool("search")
        .held_by(&gate)
        .start()
        .await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a)]);
    let mut client = file.modern_client().await;
    let params = testkit::proxy::with_meta(json!({"name": "search", "arguments": {}}));
    let id = client.send_request("tools/call", params).await;
    a.wait_for_calls(1).await;
    file.write(&[crate::reload::upstream_with(
        "a",
        &a,
        json!({"timeout": "1m"}),
    )]);
    wait_for_log(&client, RELOADED, 1).await;
    gate.open();
    let answer = client.response(id).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(crate::reload::notification_count(&client, TOOLS), 0);
}

/// Starts a server whose `work` sends an elicitation request and returns the action of the response.
async fn start_eliciting() -> upstream::Upstream {
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let form = r#"{"message":"Name?","requestedSchema":{"type":"object","properties":{}}}"#;
        let response = call.request("\"q\"", "elicitation/create", form).await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        json!({"content": [], "action": response["result"]["action"]})
            .to_string()
            .into_bytes()
    });
    server.start().await
}

#[tokio::test]
async fn suspended_call_resumes_at_its_upstream_unless_removed() {
    for stays in [true, false] {
        let (old, new) = (start_eliciting().await, start_eliciting().await);
        let file = ConfigFile::with_upstreams(&[upstream_entry("a", &old)]);
        let mut client = file.proxy().start().await;
        client.declare(json!({"elicitation": {"form": {}}}));
        let mut params = json!({"name": "work", "arguments": {}});
        let suspended = client.request_in_era("tools/call", params.clone()).await;
        let suspended = &suspended["result"];
        let (key, _) = suspended["inputRequests"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        params["inputResponses"] = json!({(key.clone()): {"action": "accept", "content": {}}});
        params["requestState"] = suspended["requestState"].clone();

        file.write(&[upstream_entry(if stays { "a" } else { "b" }, &new)]);
        wait_for_log(&client, RELOADED, 1).await;
        if !stays {
            let cancelled = old.wait_for_cancelled().await;
            let cancelled: Value = serde_json::from_slice(&cancelled).unwrap();
            assert_eq!(cancelled["method"], "notifications/cancelled");
        }
        let answer = client.request_in_era("tools/call", params).await;
        match stays {
            true => assert_eq!(answer["result"]["action"], "accept", "{answer}"),
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
async fn request_for_a_task_of_a_removed_upstream_fails() {
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
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &a), upstream_entry("b", &b)]);
    let mut client = file.legacy_client().await;
    let call = json!({"name": "run", "arguments": {}, "task": {"ttl": 60000}});
    let created = client.request("tools/call", call).await;
    assert_eq!(created["result"]["task"]["taskId"], "t-1", "{created}");

    // An upstream of the same name receives the request.
    file.write(&[
        crate::reload::upstream_with("a", &a, json!({"timeout": "1m"})),
        upstream_entry("b", &b),
    ]);
    wait_for_log(&client, RELOADED, 1).await;
    let found = client.request("tasks/get", json!({"taskId": "t-1"})).await;
    assert_eq!(found["result"]["status"], "working", "{found}");

    file.write(&[upstream_entry("b", &b)]);
    wait_for_log(&client, RELOADED, 2).await;
    let failed = client.request("tasks/get", json!({"taskId": "t-1"})).await;
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.contains("`a` did not answer `tasks/get`: the server is no longer configured"));
    assert_eq!(failed["error"]["data"]["outcome"], "not run");
    assert!(b.requests_of("tasks/get").is_empty());
}
