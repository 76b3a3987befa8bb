//! Notifications outside of requests: each client gets what it wants, and what is its own.

use serde_json::json;

use super::harness::Shared;
use testkit::upstream::{Kind, tool};

testkit::per_kind! {
    each_client_is_notified_of_changed_tools
}

testkit::per_kind! {
    [legacy http_sse]
    each_client_gets_logs_from_its_own_level_on
    each_client_gets_updates_of_its_own_resources
    an_elicitation_ends_for_no_client_that_was_not_asked
}

async fn each_client_is_notified_of_changed_tools(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let shared = Shared::before(&server);
    let mut clients = [
        shared.legacy(json!({})).await,
        shared.legacy(json!({"roots": {}})).await,
    ];
    server.set_tools([tool("t").as_str(), &tool("u")]);
    server.list_changed().await;
    for client in &mut clients {
        client
            .notification("notifications/tools/list_changed")
            .await;
    }
}

async fn each_client_gets_logs_from_its_own_level_on(kind: Kind) {
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec());
    let server = server.start().await;
    let shared = Shared::before(&server);
    let mut verbose = shared.legacy(json!({})).await;
    let mut terse = shared.legacy(json!({})).await;
    for (client, level) in [(&mut verbose, "debug"), (&mut terse, "error")] {
        let params = json!({"level": level});
        client.begin("1", "logging/setLevel", params).await;
        client.end("1").await;
    }
    for level in ["info", "error"] {
        let params = json!({"level": level, "data": "x"}).to_string();
        server.notify("notifications/message", &params).await;
    }
    let first = verbose.notification("notifications/message").await;
    assert_eq!(first["params"]["level"], "info");
    for client in [&mut verbose, &mut terse] {
        let log = client.notification("notifications/message").await;
        assert_eq!(log["params"]["level"], "error");
        assert!(client.all("notifications/message").await.is_empty());
    }
}

async fn each_client_gets_updates_of_its_own_resources(kind: Kind) {
    let resources = ["x://1", "x://2"].map(|uri| json!({"uri": uri, "name": uri}).to_string());
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{},"resources":{"subscribe":true}}"#)
        .offers("resources", resources.iter().map(String::as_str))
        .answers("resources/subscribe", |_| b"{}".to_vec());
    let server = server.start().await;
    let shared = Shared::before(&server);
    let mut clients = [
        ("x://1", shared.legacy(json!({})).await),
        ("x://2", shared.legacy(json!({})).await),
    ];
    for (uri, client) in &mut clients {
        let params = json!({"uri": uri});
        client.begin("1", "resources/subscribe", params).await;
        let answer = client.end("1").await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
    let updated = "notifications/resources/updated";
    for uri in ["x://1", "x://2"] {
        server
            .notify(updated, &json!({"uri": uri}).to_string())
            .await;
    }
    for (uri, client) in &mut clients {
        let update = client.notification(updated).await;
        assert_eq!(update["params"]["uri"], *uri);
        assert!(client.all(updated).await.is_empty());
    }
}

async fn an_elicitation_ends_for_no_client_that_was_not_asked(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let shared = Shared::before(&server);
    let mut clients = [
        shared.legacy(json!({"elicitation": {"url": {}}})).await,
        shared.legacy(json!({"elicitation": {"url": {}}})).await,
    ];
    let complete = "notifications/elicitation/complete";
    server.notify(complete, r#"{"elicitationId":"e"}"#).await;
    server.event_stream().await.read().await;
    for client in &mut clients {
        assert!(client.all(complete).await.is_empty());
    }
}
