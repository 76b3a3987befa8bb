//! Different log levels: each client hears what it wants, and the server is set to the most verbose of them.

use serde_json::{Value, json};
use testkit::upstream::{Kind, Upstream};

use super::harness::{Era, Peer, Shared};

per_pair! {
    each_client_hears_logs_from_its_level_on
}

testkit::per_kind! {
    [legacy http_sse]
    a_server_is_set_to_the_most_verbose_level_of_those_present
}

const LOG: &str = "notifications/message";

/// A server whose tool `talk` logs at two levels for whom its arguments name; at the lower one only if a
/// modern call wants it.
async fn talking(kind: Kind) -> Upstream {
    let server = kind.server().tool("talk");
    let server = server
        .capabilities(r#"{"tools":{"listChanged":true},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec());
    let server = server.on_call(|call| async move {
        let mut called = call.request.json()["params"].take();
        let data = called["arguments"]["for"].take();
        let expected = called["_meta"]["io.modelcontextprotocol/logLevel"].take();
        let levels = match expected == "error" {
            true => &["error"][..],
            false => &["debug", "error"],
        };
        for level in levels {
            let params = json!({"level": level, "data": data});
            let log = json!({"jsonrpc": "2.0", "method": LOG, "params": params});
            call.send(log.to_string()).await;
        }
        br#"{"content":[],"resultType":"complete"}"#.to_vec()
    });
    server.start().await
}

/// Sets the level of a client's legacy session.
async fn set_level(client: &mut Peer, level: &str) {
    let params = json!({"level": level});
    let answer = client.finish("\"level\"", "logging/setLevel", params).await;
    assert_eq!(answer["result"], json!({}), "{answer}");
}

/// Calls `talk` as a client that wants logs from `level` on.
async fn talk(client: &mut Peer, name: &str, level: &str) {
    let mut params = json!({"name": "talk", "arguments": {"for": name}});
    if client.era == Era::Modern {
        params["_meta"] = json!({"io.modelcontextprotocol/logLevel": level});
    }
    let answer = client.finish("\"talk\"", "tools/call", params).await;
    assert!(answer["result"].is_object(), "{answer}");
}

/// The levels of the logs for `name` that a client has heard.
fn levels(client: &Peer, name: &str) -> Vec<Value> {
    let logs = client.received_with(LOG).into_iter();
    let logs = logs.filter(|log| log["params"]["data"] == name);
    logs.map(|mut log| log["params"]["level"].take()).collect()
}

async fn each_client_hears_logs_from_its_level_on(kind: Kind, eras: [Era; 2]) {
    let server = talking(kind).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients(eras).await;
    for (client, level) in [(&mut a, "debug"), (&mut b, "error")] {
        if client.era == Era::Legacy {
            set_level(client, level).await;
        }
    }
    for _ in 0..2 {
        talk(&mut a, "a", "debug").await;
        talk(&mut b, "b", "error").await;
    }
    a.fence().await;
    b.fence().await;
    assert_eq!(levels(&a, "a"), ["debug", "error", "debug", "error"]);
    assert_eq!(levels(&b, "b"), ["error", "error"]);
    // On the one stream of a session that both use, logs name no call.
    if kind != Kind::HttpSse {
        assert!(levels(&a, "b").is_empty());
        assert!(levels(&b, "a").is_empty());
    }
    assert!(!levels(&b, "a").contains(&json!("debug")));
}

/// The levels that a server was set to so far.
fn set(server: &Upstream) -> Vec<Value> {
    let sets = server.requests_of("logging/setLevel").into_iter();
    sets.map(|request| request.json()["params"]["level"].take())
        .collect()
}

async fn a_server_is_set_to_the_most_verbose_level_of_those_present(kind: Kind) {
    let server = talking(kind).await;
    let shared = Shared::before(&server);
    let [mut a, mut b] = shared.clients([Era::Legacy; 2]).await;
    a.fence().await;
    b.fence().await;
    set_level(&mut b, "error").await;
    set_level(&mut a, "debug").await;
    set_level(&mut b, "warning").await;
    talk(&mut b, "b", "").await;
    let sets = set(&server);
    assert_eq!(sets.last(), Some(&json!("debug")));
    assert!(!sets.contains(&json!("warning")), "{sets:?}");
    a.close_stdin();
    a.wait_for_end_of_output().await;
    let is_withdrawn = || set(&server).last() == Some(&json!("warning"));
    server
        .raw
        .wait_until("the level of the other", is_withdrawn)
        .await;
}
