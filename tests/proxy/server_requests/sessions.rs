//! Sessions with legacy servers: one for each set of declared capabilities.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::server_requests::helpers::{FORM, all_capabilities, legacy_client_of};
use testkit::gate::Gate;
use testkit::json::bytes_of;
use testkit::proxy::{self, Client};
use testkit::raw::Request;
use testkit::upstream::{self, Upstream};

/// Returns the session ids of the calls so far, in order.
pub(super) fn sessions_of_calls(server: &Upstream) -> Vec<String> {
    let calls = server.requests_of("tools/call");
    let session = |call: &Request| call.header("mcp-session-id").unwrap().to_owned();
    calls.iter().map(session).collect()
}

/// Calls `echo` as a modern client that declares these capabilities as written.
pub(super) async fn call_as(client: &mut Client, id: &str, capabilities: &str) {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"test","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}}}"#
    );
    let answer = client.exchange(line, id).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(r#""content""#), "{answer}");
}

pub(super) async fn echo_server() -> Upstream {
    upstream::legacy().tool("echo").start().await
}

#[tokio::test]
async fn initialize_forwards_client_info_and_capabilities_as_written() {
    let server = echo_server().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let info = r#"{ "version":"1.0","name":"t\u0065st","x":[1.0E2] }"#;
    let capabilities = r#"{ "roots" :{"listChanged":true},"sampling":{},"tasks":{"x":1E2},"experimental":{"\u0061":0.10} }"#;
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"clientInfo":{info},"protocolVersion":"2025-06-18","capabilities":{capabilities}}}}}"#
    );
    client.exchange(line, "1").await;
    let sent = server.wait_for_request("initialize").await;
    assert_eq!(bytes_of(&sent.body, &["params", "clientInfo"]), info);
    assert_eq!(
        bytes_of(&sent.body, &["params", "capabilities"]),
        capabilities
    );
}

#[tokio::test]
async fn clients_with_equal_capabilities_share_a_session() {
    let server = echo_server().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let groups = [
        [
            r#"{"sampling":{},"roots":{}}"#,
            r#"{ "roots" : { }, "sampling":{} }"#,
        ],
        [
            r#"{"elicitation":{"url":{}}}"#,
            r#"{"elicitation":{"url":{}},"extensions":{"a/b":{}}}"#,
        ],
        ["{}", "{ }"],
    ];
    for (round, which) in [0, 1, 0, 1].into_iter().enumerate() {
        for (group, capabilities) in groups.iter().enumerate() {
            call_as(
                &mut client,
                &format!("1{round}{group}"),
                capabilities[which],
            )
            .await;
        }
    }
    let sessions = sessions_of_calls(&server);
    assert_eq!(sessions.len(), 12);
    let different: BTreeSet<_> = sessions[..3].iter().collect();
    assert_eq!(different.len(), 3, "{sessions:?}");
    for later in sessions.chunks(3) {
        assert_eq!(later, &sessions[..3]);
    }
    let handshakes = server.requests_of("initialize");
    let declared: Vec<Value> = handshakes
        .iter()
        .map(|it| it.json()["params"]["capabilities"].take())
        .collect();
    let expected = [
        json!({"sampling": {}, "roots": {}}),
        json!({"elicitation": {"url": {}}}),
        json!({}),
    ];
    assert_eq!(declared, expected);
    let named = |it: &Request| it.json()["params"]["clientInfo"]["name"] == "test";
    assert!(handshakes.iter().all(named));
}

#[tokio::test]
async fn least_recently_used_session_is_closed_first() {
    let server = echo_server().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let declaring = |number: usize| format!(r#"{{"experimental":{{"{number}":{{}}}}}}"#);
    // The main session and four extra sessions.
    for number in 0..5 {
        call_as(&mut client, &format!("1{number}"), &declaring(number)).await;
    }
    // The first extra session is used again, so the second is the least recently used.
    call_as(&mut client, "21", &declaring(1)).await;
    assert_eq!(server.requests_of("initialize").len(), 5);
    let sessions = sessions_of_calls(&server);
    assert_eq!(sessions[5], sessions[1]);
    call_as(&mut client, "25", &declaring(5)).await;
    let deleted = server.raw.wait_for(|it| it.method == "DELETE").await;
    assert_eq!(deleted.header("mcp-session-id"), Some(&*sessions[2]));
    // All other sessions are still open.
    for number in [0, 1, 3, 4, 5] {
        call_as(&mut client, &format!("3{number}"), &declaring(number)).await;
    }
    assert_eq!(server.requests_of("initialize").len(), 6);
    let later = sessions_of_calls(&server);
    let known = [
        &sessions[0],
        &sessions[1],
        &sessions[3],
        &sessions[4],
        &later[6],
    ];
    assert!(later[7..].iter().eq(known), "{later:?}");
    call_as(&mut client, "42", &declaring(2)).await;
    assert_eq!(server.requests_of("initialize").len(), 7);
    let again = sessions_of_calls(&server).pop().unwrap();
    assert_ne!(again, sessions[2]);
}

#[tokio::test]
async fn session_in_use_is_not_closed() {
    let gate = Gate::closed();
    let held = gate.clone();
    let server = upstream::legacy().tool("echo").tool("hold");
    let server = server.on_call(move |call| {
        let held = held.clone();
        async move {
            if call.request.json()["params"]["name"] == "hold" {
                held.passed().await;
            }
            br#"{"content":[]}"#.to_vec()
        }
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let declaring = |number: usize| json!({"experimental": {number.to_string(): {}}});
    client.declare(declaring(0));
    client.modern("tools/call", json!({"name": "echo"})).await;
    client.declare(declaring(1));
    let holding = client.send_call("hold", json!({})).await;
    server.wait_for_calls(2).await;
    for number in 2..6 {
        let declared = declaring(number).to_string();
        call_as(&mut client, &format!("1{number}"), &declared).await;
    }
    let deleted = server.raw.wait_for(|it| it.method == "DELETE").await;
    let sessions = sessions_of_calls(&server);
    assert_eq!(deleted.header("mcp-session-id"), Some(&*sessions[2]));
    gate.open();
    let answer = client.response(holding).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn server_requests_follow_the_capabilities_of_the_handshake() {
    let server = upstream::legacy().tool("echo").on_call(|call| async move {
        let received = call.request("1", "elicitation/create", FORM).await;
        format!(
            r#"{{"content":[],"received":{}}}"#,
            String::from_utf8(received).unwrap()
        )
        .into()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.declare(json!({"extensions": {"a/b": {}}}));
    let found = client.modern("server/discover", json!({})).await;
    assert!(found["result"].is_object(), "{found}");
    server.wait_for_request("initialize").await;
    client.initialize_with(all_capabilities()).await;
    let call = client.send_call("echo", json!({})).await;
    let server_request = client.incoming_request("elicitation/create").await;
    client
        .respond(&server_request, json!({"action": "accept"}))
        .await;
    let answer = client.response(call).await;
    assert_eq!(
        answer["result"]["received"]["result"]["action"], "accept",
        "{answer}"
    );
    let handshakes = server.requests_of("initialize");
    let declared: Vec<Value> = handshakes
        .iter()
        .map(|it| it.json()["params"]["capabilities"].take())
        .collect();
    assert_eq!(declared, [json!({}), all_capabilities()]);
}

#[tokio::test]
async fn legacy_capability_members_are_removed_for_modern_servers() {
    let server = upstream::modern().tool("work").start().await;
    let mut client = legacy_client_of(&server).await;
    client.call("work", json!({})).await;
    let call = server.calls().remove(0);
    let meta = &serde_json::from_slice::<Value>(&call).unwrap()["params"]["_meta"];
    let declared = &meta["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(declared["roots"], json!({}));
    assert_eq!(declared["elicitation"], all_capabilities()["elicitation"]);
}

#[tokio::test]
async fn listing_follows_the_capabilities_declared_in_the_handshake() {
    let supports_elicitation = Arc::new(AtomicBool::new(false));
    let (declared, is_declared) = (supports_elicitation.clone(), supports_elicitation);
    let server = upstream::legacy()
        .tool("work")
        .guarded(move |request| {
            if request.is("initialize") {
                let capabilities = &request.json()["params"]["capabilities"];
                declared.store(capabilities["elicitation"].is_object(), Ordering::Relaxed);
            }
            std::future::ready(None)
        })
        .answers("tools/list", move |_| {
            let ask_tool = format!(",{}", upstream::tool("ask"));
            let more = if is_declared.load(Ordering::Relaxed) {
                &*ask_tool
            } else {
                ""
            };
            format!(r#"{{"tools":[{}{more}]}}"#, upstream::tool("work")).into()
        });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let listed = client.modern("tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 1);
    client.initialize_with(all_capabilities()).await;
    client.wait_for_tools(&["work", "ask"]).await;
    // The session without capabilities has been closed.
    server
        .raw
        .wait_for(|request| request.method == "DELETE")
        .await;
    assert_eq!(server.requests_of("initialize").len(), 2);
}
