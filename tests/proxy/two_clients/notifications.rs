//! Notifications outside of requests: each client receives those of its level, subscriptions and requests.

use serde_json::json;

use super::harness::SharedProxy;
use testkit::upstream::{Kind, tool};

testkit::per_kind! {
    each_client_receives_the_tool_list_change
}

testkit::per_kind! {
    [legacy http_sse]
    logs_outside_of_calls_are_filtered_by_each_clients_level
    resource_updates_reach_only_the_subscribed_client
    completion_of_an_unknown_elicitation_reaches_no_client
}

async fn each_client_receives_the_tool_list_change(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = [
        proxy.connect_legacy(json!({})).await,
        proxy.connect_legacy(json!({"roots": {}})).await,
    ];
    server.set_tools([tool("t").as_str(), &tool("u")]);
    server.list_changed().await;
    for client in &mut clients {
        client
            .notification("notifications/tools/list_changed")
            .await;
    }
}

async fn logs_outside_of_calls_are_filtered_by_each_clients_level(kind: Kind) {
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec());
    let server = server.start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut verbose = proxy.connect_legacy(json!({})).await;
    let mut terse = proxy.connect_legacy(json!({})).await;
    for (client, level) in [(&mut verbose, "debug"), (&mut terse, "error")] {
        let params = json!({"level": level});
        client.start_request("1", "logging/setLevel", params).await;
        client.response_to("1").await;
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
        assert!(
            client
                .take_messages("notifications/message")
                .await
                .is_empty()
        );
    }
}

async fn resource_updates_reach_only_the_subscribed_client(kind: Kind) {
    let resources = ["x://1", "x://2"].map(|uri| json!({"uri": uri, "name": uri}).to_string());
    let server = kind
        .server()
        .tool("t")
        .capabilities(r#"{"tools":{},"resources":{"subscribe":true}}"#)
        .offers("resources", resources.iter().map(String::as_str))
        .answers("resources/subscribe", |_| b"{}".to_vec());
    let server = server.start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = [
        ("x://1", proxy.connect_legacy(json!({})).await),
        ("x://2", proxy.connect_legacy(json!({})).await),
    ];
    for (uri, client) in &mut clients {
        let params = json!({"uri": uri});
        client
            .start_request("1", "resources/subscribe", params)
            .await;
        let answer = client.response_to("1").await;
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
        assert!(client.take_messages(updated).await.is_empty());
    }
}

async fn completion_of_an_unknown_elicitation_reaches_no_client(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = [
        proxy
            .connect_legacy(json!({"elicitation": {"url": {}}}))
            .await,
        proxy
            .connect_legacy(json!({"elicitation": {"url": {}}}))
            .await,
    ];
    let complete = "notifications/elicitation/complete";
    server.notify(complete, r#"{"elicitationId":"e"}"#).await;
    server.event_stream().await.read().await;
    for client in &mut clients {
        assert!(client.take_messages(complete).await.is_empty());
    }
}
