//! What cannot be had is left out of the acknowledgement, and the rest is served.

use serde_json::json;

use crate::subscriptions::{
    ALL, PROMPTS, UPDATED, count, expected, listen, listens, modern, of, serving, update, updates,
};
use testkit::proxy;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    [legacy http_sse]
    a_resource_that_a_legacy_server_refuses_is_left_out
}

testkit::per_kind! {
    a_server_without_subscriptions_is_not_asked_for_any
    update_of_a_sub_resource_reaches_subscribers_of_the_whole
}

#[tokio::test]
async fn a_resource_that_a_modern_server_declines_is_left_out() {
    let server = serving(upstream::modern(), "x://1").declines("x://2");
    let server = server.start().await;
    let mut client = modern(&server).await;
    let acknowledged = listen(&mut client, "1", &of(&["x://2", "x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    server.raw.wait_for(listens(&["x://1", "x://2"])).await;
    // What is declined is not asked for again and again.
    let acknowledged = listen(&mut client, "2", &of(&["x://1"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
    assert!(count(&server, "subscriptions/listen") <= 2);
    update(&server, "x://2").await;
    update(&server, "x://1").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    let notification = expected([("x://1", json!(1)), ("x://1", json!(2))]);
    assert_eq!(updates(&client), notification);
}

async fn a_resource_that_a_legacy_server_refuses_is_left_out(kind: Kind) {
    let server = serving(kind.server(), "x://1").answers("resources/subscribe", |request| {
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
    let mut client = modern(&server).await;
    let acknowledged = listen(&mut client, "1", &of(&["x://1", "x://2"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://1"]}));
}

async fn a_server_without_subscriptions_is_not_asked_for_any(kind: Kind) {
    let declared = ALL.replace(r#","subscribe":true"#, "");
    let server = serving(kind.server(), "x://1").capabilities(&declared);
    let server = server.start().await;
    let mut client = modern(&server).await;
    let filter = r#"{"promptsListChanged":true,"resourceSubscriptions":["x://1"]}"#;
    let acknowledged = listen(&mut client, "1", filter).await;
    assert_eq!(acknowledged, json!({"promptsListChanged": true}));
    server.notify(PROMPTS, "{}").await;
    client.notification(PROMPTS).await;
    assert_eq!(count(&server, "resources/subscribe"), 0);
    let with_resources = server.raw.requests().iter().any(listens(&["x://1"]));
    assert!(!with_resources);
}

#[tokio::test]
async fn unlisted_resource_is_tried_in_turn_until_one_subscribes() {
    let declines = serving(upstream::modern(), "x://1").declines("x://new");
    let declines = declines.start().await;
    let takes = serving(upstream::legacy(), "x://2").start().await;
    let proxy = proxy::new().upstream("a", &declines).upstream("b", &takes);
    let mut client = proxy.start().await;
    let acknowledged = listen(&mut client, "1", &of(&["x://new"])).await;
    assert_eq!(acknowledged, json!({"resourceSubscriptions": ["x://new"]}));
    update(&takes, "x://new").await;
    client.notification(UPDATED).await;
    assert_eq!(updates(&client), expected([("x://new", json!(1))]));
}

async fn update_of_a_sub_resource_reaches_subscribers_of_the_whole(kind: Kind) {
    let server = serving(kind.server(), "x://1").start().await;
    let mut client = modern(&server).await;
    client.initialize().await;
    listen(&mut client, r#""a""#, &of(&["x://1"])).await;
    let params = json!({"uri": "x://1"});
    let answer = client.request("resources/subscribe", params).await;
    assert!(answer["result"].is_object(), "{answer}");
    update(&server, "x://12").await;
    update(&server, "x://1/part").await;
    client.notification(UPDATED).await;
    client.notification(UPDATED).await;
    let notification = expected([("x://1/part", json!(null)), ("x://1/part", json!("a"))]);
    assert_eq!(updates(&client), notification);
}
