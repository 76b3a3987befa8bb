//! A connection that was lost and made again has the same subscriptions.

use serde_json::json;

use crate::support::proxy::Client;
use crate::support::upstream::{self, Upstream};
use crate::{
    TOOLS, UPDATED, expected, listen, listens, modern, of, serving, subscribes, update, updates,
};

/// A client that is subscribed to `x://1` by a listen, and to `x://2` by its session.
async fn subscribed(server: &Upstream) -> Client {
    let mut client = modern(server).await;
    client.initialize().await;
    listen(&mut client, r#""a""#, &of(&["x://1"])).await;
    let params = json!({"uri": "x://2"});
    let done = client.request("resources/subscribe", params).await;
    assert_eq!(done["result"], json!({}));
    client
}

/// Waits until the server was asked for both once more.
async fn asked_again(kind: &str, server: &Upstream) {
    match kind {
        "modern" => drop(
            server
                .raw
                .wait_for_count(2, listens(&["x://1", "x://2"]))
                .await,
        ),
        _ => {
            server.raw.wait_for_count(2, subscribes("x://1")).await;
            server.raw.wait_for_count(2, subscribes("x://2")).await;
        }
    }
}

async fn hears_both(kind: &str, server: &Upstream, client: &mut Client) {
    update(server, "x://1").await;
    client.notification(UPDATED).await;
    update(server, "x://2").await;
    client.notification(UPDATED).await;
    let told = expected([("x://1", json!("a")), ("x://2", json!(null))]);
    assert_eq!(updates(client), told, "{kind}");
}

/// How often the server has listed its tools, but for its first session.
fn listings(server: &Upstream) -> usize {
    let requests = server.raw.requests().into_iter();
    requests
        .filter(|request| request.is("tools/list"))
        .filter(|request| request.header("mcp-session-id") != Some("session-1"))
        .count()
}

#[tokio::test]
async fn a_lost_stream_or_session_is_made_again_with_its_subscriptions() {
    for (kind, builder) in upstream::kinds() {
        let server = serving(builder(), "x://0").tool("search").start().await;
        let mut client = subscribed(&server).await;
        client.tool_names().await;
        let listed = listings(&server);
        // What changes meanwhile is found afterwards.
        server.set_tools([upstream::tool("find").as_str()]);
        server.expire_sessions();
        asked_again(kind, &server).await;
        client.notification(TOOLS).await;
        hears_both(kind, &server, &mut client).await;
        assert_eq!(listings(&server), listed + 1, "{kind}");
    }
}

#[tokio::test]
async fn a_server_that_was_away_is_asked_again() {
    for (kind, builder) in upstream::kinds() {
        let mut server = serving(builder(), "x://0").start().await;
        let mut client = subscribed(&server).await;
        server.expire_sessions();
        server.raw.stop().await;
        server.restart();
        // Its log begins anew.
        match kind {
            "modern" => drop(server.raw.wait_for(listens(&["x://1", "x://2"])).await),
            _ => {
                server.raw.wait_for(subscribes("x://1")).await;
                server.raw.wait_for(subscribes("x://2")).await;
            }
        }
        hears_both(kind, &server, &mut client).await;
    }
}
