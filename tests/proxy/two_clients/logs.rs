//! Different log levels: each client receives the logs of its level.
//!
//! The server is set to the most verbose level.

use serde_json::{Value, json};
use testkit::upstream::{Kind, Upstream};

use super::harness::{Era, EraClient, SharedProxy};

per_pair! {
    each_client_receives_the_logs_of_its_own_level
}

testkit::per_kind! {
    [legacy http_sse]
    server_level_is_the_most_verbose_of_connected_clients
}

const LOG: &str = "notifications/message";

/// A server whose tool `talk` sends logs of two levels with the client's name from its arguments.
///
/// It skips the debug log if the call requests only errors.
async fn server_with_logs(kind: Kind) -> Upstream {
    let server = kind.server().tool("talk");
    let server = server
        .capabilities(r#"{"tools":{"listChanged":true},"logging":{}}"#)
        .answers("logging/setLevel", |_| b"{}".to_vec());
    let server = server.on_call(|call| async move {
        let mut params = call.request.json()["params"].take();
        let data = params["arguments"]["client"].take();
        let requested = params["_meta"]["io.modelcontextprotocol/logLevel"].take();
        let levels = match requested == "error" {
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

/// Sets the log level of a legacy client.
async fn set_level(client: &mut EraClient, level: &str) {
    let params = json!({"level": level});
    let answer = client
        .request_with_id("\"level\"", "logging/setLevel", params)
        .await;
    assert_eq!(answer["result"], json!({}), "{answer}");
}

/// Calls `talk`; a modern client requests logs of this level.
async fn talk(client: &mut EraClient, name: &str, level: &str) {
    let mut params = json!({"name": "talk", "arguments": {"client": name}});
    if client.era == Era::Modern {
        params["_meta"] = json!({"io.modelcontextprotocol/logLevel": level});
    }
    let answer = client
        .request_with_id("\"talk\"", "tools/call", params)
        .await;
    assert!(answer["result"].is_object(), "{answer}");
}

/// The levels of the logs for `name` that the client has received.
fn levels(client: &EraClient, name: &str) -> Vec<Value> {
    let logs = client.received_with(LOG).into_iter();
    let logs = logs.filter(|log| log["params"]["data"] == name);
    logs.map(|mut log| log["params"]["level"].take()).collect()
}

async fn each_client_receives_the_logs_of_its_own_level(kind: Kind, eras: [Era; 2]) {
    let server = server_with_logs(kind).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two(eras).await;
    for (client, level) in [(&mut a, "debug"), (&mut b, "error")] {
        if client.era == Era::Legacy {
            set_level(client, level).await;
        }
    }
    for _ in 0..2 {
        talk(&mut a, "a", "debug").await;
        talk(&mut b, "b", "error").await;
    }
    a.barrier().await;
    b.barrier().await;
    assert_eq!(levels(&a, "a"), ["debug", "error", "debug", "error"]);
    assert_eq!(levels(&b, "b"), ["error", "error"]);
    // With HTTP+SSE, logs come on the event stream and name no call.
    // So a client may receive those of the other.
    if kind != Kind::HttpSse {
        assert!(levels(&a, "b").is_empty());
        assert!(levels(&b, "a").is_empty());
    }
    assert!(!levels(&b, "a").contains(&json!("debug")));
}

/// The levels that the server has received.
fn levels_set(server: &Upstream) -> Vec<Value> {
    let sets = server.requests_of("logging/setLevel").into_iter();
    sets.map(|request| request.json()["params"]["level"].take())
        .collect()
}

async fn server_level_is_the_most_verbose_of_connected_clients(kind: Kind) {
    let server = server_with_logs(kind).await;
    let proxy = SharedProxy::with_upstream(&server);
    let [mut a, mut b] = proxy.connect_two([Era::Legacy; 2]).await;
    a.barrier().await;
    b.barrier().await;
    set_level(&mut b, "error").await;
    set_level(&mut a, "debug").await;
    set_level(&mut b, "warning").await;
    talk(&mut b, "b", "").await;
    let sets = levels_set(&server);
    assert_eq!(sets.last(), Some(&json!("debug")));
    assert!(!sets.contains(&json!("warning")), "{sets:?}");
    a.close_stdin();
    a.wait_for_end_of_output().await;
    let is_lowered = || levels_set(&server).last() == Some(&json!("warning"));
    server
        .raw
        .wait_until("the level of the other client", is_lowered)
        .await;
}
