//! Invalid subscription requests are rejected, and the next request is served.

use serde_json::{Value, json};

use crate::subscriptions::{
    ACKNOWLEDGED, listen, listen_line, modern_client, resource_filter, server_with_resource,
};
use testkit::proxy::{Client, with_meta};
use testkit::upstream;

async fn code(client: &mut Client, method: &str, params: Value) -> Value {
    let mut answer = client.request(method, params).await;
    answer["error"]["code"].take()
}

#[tokio::test]
async fn invalid_filter_is_rejected() {
    let server = server_with_resource(upstream::legacy(), "x://1")
        .start()
        .await;
    let mut client = modern_client(&server).await;
    let many: Vec<_> = (0..4097).map(|n| format!("x://{n}")).collect();
    for filter in [
        Value::Null,
        json!([]),
        json!({"toolsListChanged": 1}),
        json!({"resourceSubscriptions": "x://1"}),
        json!({"resourceSubscriptions": [1]}),
        json!({"resourceSubscriptions": many}),
    ] {
        let params = with_meta(json!({"notifications": filter}));
        let code = code(&mut client, "subscriptions/listen", params).await;
        assert_eq!(code, -32602, "{filter}");
    }
    let params = with_meta(json!({}));
    assert_eq!(
        code(&mut client, "subscriptions/listen", params).await,
        -32602
    );
    listen(&mut client, "1000", "{}").await;
}

#[tokio::test]
async fn number_of_open_listens_is_limited() {
    let server = server_with_resource(upstream::legacy(), "x://1")
        .start()
        .await;
    let mut client = modern_client(&server).await;
    for id in 1000..1064 {
        listen(&mut client, &id.to_string(), "{}").await;
    }
    let line = listen_line("2000", "{}");
    let rejected: Value = serde_json::from_slice(&client.exchange(&line, "2000").await).unwrap();
    assert_eq!(rejected["error"]["code"], -32602, "{rejected}");
    let params = json!({"requestId": 1000});
    client.notify("notifications/cancelled", params).await;
    // The id of a cancelled listen can be used again.
    listen(&mut client, "1000", "{}").await;
}

#[tokio::test]
async fn id_of_an_open_listen_cannot_be_reused() {
    let server = server_with_resource(upstream::legacy(), "x://1").tool("search");
    let server = server.start().await;
    let mut client = modern_client(&server).await;
    listen(&mut client, r#""a""#, "{}").await;
    let call = with_meta(json!({"name": "search"}));
    for line in [
        listen_line(r#""\u0061""#, "{}"),
        json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": call}).to_string(),
    ] {
        client.send_line(&line).await;
        let rejected: Value = serde_json::from_slice(&client.next_line().await).unwrap();
        assert_eq!(rejected["error"]["code"], -32600, "{rejected}");
    }
    let lines = client.received().into_iter();
    let acknowledged = lines.filter(|line| String::from_utf8_lossy(line).contains(ACKNOWLEDGED));
    assert_eq!(acknowledged.count(), 1);
}

#[tokio::test]
async fn subscribe_methods_of_the_other_era_are_rejected() {
    let server = server_with_resource(upstream::legacy(), "x://1")
        .start()
        .await;
    let mut client = modern_client(&server).await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let code = code(&mut client, method, with_meta(json!({"uri": "x://1"}))).await;
        assert_eq!(code, -32601, "{method}");
    }
    client.initialize().await;
    let filter: Value = serde_json::from_str(&resource_filter(&["x://1"])).unwrap();
    let params = json!({"notifications": filter});
    assert_eq!(
        code(&mut client, "subscriptions/listen", params).await,
        -32601
    );
    for params in [json!({}), json!({"uri": 1})] {
        let code = code(&mut client, "resources/subscribe", params).await;
        assert_eq!(code, -32602);
    }
}

#[tokio::test]
async fn resource_is_rejected_if_no_server_has_resources() {
    let server = upstream::legacy().start().await;
    let mut client = modern_client(&server).await;
    let acknowledged = listen(&mut client, "1000", &resource_filter(&["x://1"])).await;
    assert_eq!(acknowledged, json!({}));
    client.initialize().await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let code = code(&mut client, method, json!({"uri": "x://1"})).await;
        assert_eq!(code, -32602, "{method}");
    }
}

#[tokio::test]
async fn subscription_capabilities_are_declared_to_both_eras() {
    let server = upstream::legacy().start().await;
    let mut client = modern_client(&server).await;
    let declared = json!({
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "tools": {"listChanged": true},
    });
    let discovered = client.modern("server/discover", json!({})).await;
    let initialized = client.initialize().await;
    for result in [&discovered["result"], &initialized] {
        for family in ["prompts", "resources", "tools"] {
            assert_eq!(result["capabilities"][family], declared[family], "{result}");
        }
    }
}
