//! Notifications outside of requests: each client gets what it wants, and what is its own.

use serde_json::json;

use super::scene::Scene;
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
    let scene = Scene::before(&server);
    let mut clients = [
        scene.legacy(json!({})).await,
        scene.legacy(json!({"roots": {}})).await,
    ];
    server.set_tools([tool("t").as_str(), &tool("u")]);
    server.list_changed().await;
    for client in &mut clients {
        client.named("notifications/tools/list_changed").await;
    }
}

async fn each_client_gets_logs_from_its_own_level_on(kind: Kind) {
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec());
    let server = server.start().await;
    let scene = Scene::before(&server);
    let mut verbose = scene.legacy(json!({})).await;
    let mut terse = scene.legacy(json!({})).await;
    for (client, level) in [(&mut verbose, "debug"), (&mut terse, "error")] {
        let params = json!({"level": level});
        client.request(json!(1), "logging/setLevel", params).await;
        client.response(json!(1)).await;
    }
    for level in ["info", "error"] {
        let params = json!({"level": level, "data": "x"}).to_string();
        server.notify("notifications/message", &params).await;
    }
    let first = verbose.named("notifications/message").await;
    assert_eq!(first["params"]["level"], "info");
    for client in [&mut verbose, &mut terse] {
        let log = client.named("notifications/message").await;
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
    let scene = Scene::before(&server);
    let mut clients = [
        ("x://1", scene.legacy(json!({})).await),
        ("x://2", scene.legacy(json!({})).await),
    ];
    for (uri, client) in &mut clients {
        let params = json!({"uri": uri});
        client
            .request(json!(1), "resources/subscribe", params)
            .await;
        let answer = client.response(json!(1)).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
    let updated = "notifications/resources/updated";
    for uri in ["x://1", "x://2"] {
        server
            .notify(updated, &json!({"uri": uri}).to_string())
            .await;
    }
    for (uri, client) in &mut clients {
        let update = client.named(updated).await;
        assert_eq!(update["params"]["uri"], *uri);
        assert!(client.all(updated).await.is_empty());
    }
}

async fn an_elicitation_ends_for_no_client_that_was_not_asked(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let scene = Scene::before(&server);
    let mut clients = [
        scene.legacy(json!({"elicitation": {"url": {}}})).await,
        scene.legacy(json!({"elicitation": {"url": {}}})).await,
    ];
    let complete = "notifications/elicitation/complete";
    server.notify(complete, r#"{"elicitationId":"e"}"#).await;
    server.voice().await.read().await;
    for client in &mut clients {
        assert!(client.all(complete).await.is_empty());
    }
}
