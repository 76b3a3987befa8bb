//! The acknowledgement lists only the changes and resources that a server supports and accepts.

use serde_json::json;

use crate::subscriptions::{
    CAPABILITIES, PROMPTS, UPDATED, expected, listen, listens, modern_client, request_count,
    resource_filter, server_with_resource, update, updates,
};
use testkit::proxy;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    [legacy http_sse]
    resource_rejected_by_a_legacy_server_is_left_out
}

testkit::per_kind! {
    server_without_subscriptions_gets_no_subscribe_request
    update_of_a_sub_resource_reaches_subscribers_of_its_parent
}

#[tokio::test]
async fn resource_declined_by_a_modern_server_is_left_out() {
    let server = server_with_resource(upstream::modern(), "x://1").declines("x://2");
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    let acknowledged = listen(&mut client, "1", &resource_filter(&["x://2", "x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    server.raw.wait_for(listens(&["x://1", "x://2"])).await;
    // The proxy does not request the declined resource again.
    let acknowledged = listen(&mut client, "2", &resource_filter(&["x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    assert!(request_count(&server, "subscriptions/listen") <= 2);
    update(&server, "x://2").await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    let notifications = expected([("x://1", json!(1)), ("x://1", json!(2))]);
    assert_eq!(updates(&client), notifications);
}

async fn resource_rejected_by_a_legacy_server_is_left_out(kind: Kind) {
    let server =
        server_with_resource(kind.server(), "x://1").answers("resources/subscribe", |request| {
            let mut request = request.json();
            let id = request["id"].take();
            match request["params"]["uri"] == "x://1" {
                true => b"{}".to_vec(),
                false => {
                    let error = json!({"code": -32602, "message": "unknown resource"});
                    let answer = json!({"id": id, "jsonrpc": "2.0", "error": error});
                    let rest = answer.to_string().replace(r#","jsonrpc":"2.0""#, "");
                    format!(r#"{{"jsonrpc":"2.0",{}"#, &rest[1..]).into_bytes()
                }
            }
        });
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    let acknowledged = listen(&mut client, "1", &resource_filter(&["x://1", "x://2"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
}

async fn server_without_subscriptions_gets_no_subscribe_request(kind: Kind) {
    let declared = CAPABILITIES.replace(r#","subscribe":true"#, "");
    let server = server_with_resource(kind.server(), "x://1").capabilities(&declared);
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    let filter = r#"{"promptsListChanged":true,"resourceSubscriptions":["x://1"]}"#;
    let acknowledged = listen(&mut client, "1", filter).await;
    assert_eq!(acknowledged, json!({"promptsListChanged": true}));
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    assert_eq!(request_count(&server, "resources/subscribe"), 0);
    let with_resources = server.raw.requests().iter().any(listens(&["x://1"]));
    assert!(!with_resources);
}

#[tokio::test]
async fn unlisted_resource_is_requested_in_order_until_accepted() {
    let declining = server_with_resource(upstream::modern(), "x://1").declines("x://new");
    let declining = declining.start().await;
    let accepting = server_with_resource(upstream::legacy(), "x://2")
        .start()
        .await;
    let proxy = proxy::new()
        .upstream("a", &declining)
        .upstream("b", &accepting);
    let mut client = proxy.start().await;
    let acknowledged = listen(&mut client, "1", &resource_filter(&["x://new"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://new"]}));
    update(&accepting, "x://new").await;
    client.notification(UPDATED).await;
    assert_eq!(updates(&client), expected([("x://new", json!(1))]));
}

async fn update_of_a_sub_resource_reaches_subscribers_of_its_parent(kind: Kind) {
    let server = server_with_resource(kind.server(), "x://1").start().await;
    let mut client = modern_client(&server).await;
    client.initialize().await;
    listen(&mut client, r#""a""#, &resource_filter(&["x://1"])).await;
    let params = json!({"uri": "x://1"});
    let answer = client.request("resources/subscribe", params).await;
    assert!(answer["result"].is_object(), "{answer}");
    update(&server, "x://12").await;
    update(&server, "x://1/part").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    let notifications = expected([("x://1/part", json!(null)), ("x://1/part", json!("a"))]);
    assert_eq!(updates(&client), notifications);
}
