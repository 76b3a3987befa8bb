//! Requests that cannot be served are refused with a reason, and the next one is served.

use serde_json::{Value, json};

use crate::subscriptions::{ACKNOWLEDGED, listen, listen_line, modern, of, serving};
use testkit::proxy::{Client, with_meta};
use testkit::upstream;

async fn code(client: &mut Client, method: &str, params: Value) -> Value {
    let mut answer = client.request(method, params).await;
    answer["error"]["code"].take()
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused() {
    let server = serving(upstream::legacy(), "x://1").start().await;
    let mut client = modern(&server).await;
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
async fn there_is_an_end_to_how_many_listens_are_open() {
    let server = serving(upstream::legacy(), "x://1").start().await;
    let mut client = modern(&server).await;
    for id in 1000..1064 {
        listen(&mut client, &id.to_string(), "{}").await;
    }
    let line = listen_line("2000", "{}");
    let refused: Value = serde_json::from_slice(&client.exchange(&line, "2000").await).unwrap();
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let params = json!({"requestId": 1000});
    client.notify("notifications/cancelled", params).await;
    // The id of one that has ended can be used again.
    listen(&mut client, "1000", "{}").await;
}

#[tokio::test]
async fn an_id_that_a_listen_has_is_in_use() {
    let server = serving(upstream::legacy(), "x://1").tool("search");
    let server = server.start().await;
    let mut client = modern(&server).await;
    listen(&mut client, r#""a""#, "{}").await;
    let call = with_meta(json!({"name": "search"}));
    for line in [
        listen_line(r#""\u0061""#, "{}"),
        json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": call}).to_string(),
    ] {
        client.send_line(&line).await;
        let refused: Value = serde_json::from_slice(&client.next_line().await).unwrap();
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
    }
    let lines = client.received().into_iter();
    let acknowledged = lines.filter(|line| String::from_utf8_lossy(line).contains(ACKNOWLEDGED));
    assert_eq!(acknowledged.count(), 1);
}

#[tokio::test]
async fn each_era_has_its_own_way_to_subscribe() {
    let server = serving(upstream::legacy(), "x://1").start().await;
    let mut client = modern(&server).await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let code = code(&mut client, method, with_meta(json!({"uri": "x://1"}))).await;
        assert_eq!(code, -32601, "{method}");
    }
    client.initialize().await;
    let filter: Value = serde_json::from_str(&of(&["x://1"])).unwrap();
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
async fn a_resource_that_no_server_can_have_is_refused() {
    let server = upstream::legacy().start().await;
    let mut client = modern(&server).await;
    let acknowledged = listen(&mut client, "1000", &of(&["x://1"])).await;
    assert_eq!(acknowledged, json!({}));
    client.initialize().await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let code = code(&mut client, method, json!({"uri": "x://1"})).await;
        assert_eq!(code, -32602, "{method}");
    }
}

#[tokio::test]
async fn what_is_declared_is_what_is_served() {
    let server = upstream::legacy().start().await;
    let mut client = modern(&server).await;
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
