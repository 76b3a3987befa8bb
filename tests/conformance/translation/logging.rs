//! Log levels, and the receivers of log messages.

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::{META_KEYS, meta_of, text};
use testkit::json::bytes_of;
use testkit::raw::Request;
use testkit::upstream::{Builder, Call};

crate::translation::rows! {
    set_level {
        legacy_to_legacy ("MCP 2025-11-25 § Logging, Setting Log Level" => level_reaches_upstreams_with_logging)
        legacy_to_modern ("MCP 2026-07-28 § Logging, Per-request log level" => level_is_sent_with_each_request)
        modern_to_legacy ("MCP 2026-07-28 § Logging, Per-request log level" => request_sets_the_level)
        modern_to_modern ("MCP 2026-07-28 § Logging, Per-request log level" => level_passes_with_its_request)
    }
    unknown_level {
        legacy_to_legacy ("MCP 2025-11-25 § Logging, Error Handling" => unknown_level_is_an_error)
        legacy_to_modern ("MCP 2025-11-25 § Logging, Error Handling" => unknown_level_is_an_error)
        modern_to_legacy ["a server should reject it; a proxy may accept it, since logs are optional"]
        modern_to_modern ["it passes with its request, and the upstream rejects it"]
    }
    messages {
        legacy_to_legacy ("MCP 2025-11-25 § Logging, Log Message Notifications" => logs_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Logging, Log Message Notifications" => logs_pass_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Logging, Per-request log level" => logs_reach_the_client_that_requested_them)
        modern_to_modern ("MCP 2026-07-28 § Logging, Log Message Notifications" => logs_pass_unchanged)
    }
    messages_outside_of_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Logging, Log Message Notifications" => logs_outside_of_requests_pass_unchanged)
        legacy_to_modern ["a modern upstream logs for a request alone"]
        modern_to_legacy ("MCP 2026-07-28 § Logging, Per-request log level" => logs_outside_of_requests_are_dropped)
        modern_to_modern ["a modern upstream logs for a request alone"]
    }
}

const LOGGING: &str = r#"{"tools":{},"logging":{}}"#;

fn logging(builder: Builder) -> Builder {
    let builder = builder.capabilities(LOGGING).tool("t");
    builder.result("logging/setLevel", "{}")
}

async fn level_reaches_upstreams_with_logging(pairing: Pairing) {
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let a = logging(a).start().await;
        let b = b.tool("u").result("logging/setLevel", "{}").start().await;
        let mut client = pairing.client_of_two(&a, &b).await;
        client.tool_names().await;
        let line = r#"{"jsonrpc":"2.0","id":"l","method":"logging/setLevel","params":{ "level":"warning","x":1E2}}"#;
        let answer = client.exchange(line, r#""l""#).await;
        assert_eq!(bytes_of(&answer, &["result"]), "{}");
        let notification = a.wait_for_request("logging/setLevel").await;
        assert_eq!(notification.json()["params"]["level"], "warning");
        client.call("u", json!({})).await;
        assert!(b.requests_of("logging/setLevel").is_empty());
    }
}

async fn level_is_sent_with_each_request(pairing: Pairing) {
    let server = logging(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    for level in ["warning", "debug"] {
        let response = client
            .request("logging/setLevel", json!({"level": level}))
            .await;
        assert_eq!(response["result"], json!({}), "{response}");
        client.call("t", json!({})).await;
    }
    let calls = server.requests_of("tools/call");
    let levels: Vec<_> = calls
        .iter()
        .map(|c| meta_of(c)[META_KEYS[3]].clone())
        .collect();
    assert_eq!(levels, [Value::Null, json!("warning"), json!("debug")]);
    assert!(server.requests_of("logging/setLevel").is_empty());
}

async fn request_sets_the_level(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = logging(builder).start().await;
        let mut client = pairing.client(&server).await;
        for level in ["error", "debug"] {
            let meta = format!(r#""{}":"{level}""#, META_KEYS[3]);
            let line = pairing.line("9", "tools/call", &meta, r#""name":"t""#);
            client.exchange(line, "9").await;
            let sets = |request: &Request| {
                request.is("logging/setLevel") && request.json()["params"]["level"] == level
            };
            server.raw.wait_for(sets).await;
        }
    }
}

async fn level_passes_with_its_request(pairing: Pairing) {
    let server = logging(pairing.server()).start().await;
    let mut client = pairing.client(&server).await;
    let meta = format!(r#""{}" : "\u0064ebug""#, META_KEYS[3]);
    let line = pairing.line("9", "tools/call", &meta, r#""name":"t""#);
    client.exchange(line, "9").await;
    client.call("t", json!({})).await;
    let calls = server.requests_of("tools/call");
    assert!(calls[0].text().contains(&meta), "{}", calls[0].text());
    assert!(meta_of(&calls[1])[META_KEYS[3]].is_null());
}

async fn unknown_level_is_an_error(pairing: Pairing) {
    let server = pairing.server().capabilities(LOGGING).tool("t");
    let server = server.answers("logging/setLevel", |request| {
        crate::translation::pairing::answer(
            request,
            r#""error":{"code":-32602,"message":"Invalid level"}"#,
        )
    });
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    let response = client
        .request("logging/setLevel", json!({"level": "loud"}))
        .await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
}

fn log(level: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0", "method":"notifications/message","params":{{"level":"{level}","data":1E0,"x":[ ]}}}}"#
    )
}

/// Sends logs at three levels, then a result.
async fn log_three_levels(call: Call) -> Vec<u8> {
    for level in ["debug", "info", "error"] {
        call.send(log(level)).await;
    }
    br#"{"content":[],"resultType":"complete"}"#.to_vec()
}

async fn logs_pass_unchanged(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = logging(builder).on_call(log_three_levels).start().await;
        let mut client = pairing.client(&server).await;
        if pairing.legacy_client() {
            client
                .request("logging/setLevel", json!({"level": "debug"}))
                .await;
        }
        client.tool_names().await;
        let meta = match pairing.legacy_client() {
            true => String::new(),
            false => format!(r#""{}":"debug""#, META_KEYS[3]),
        };
        let line = pairing.line("9", "tools/call", &meta, r#""name":"t""#);
        let answer = client.exchange(line, "9").await;
        let mut expected = ["debug", "info", "error"].map(log).to_vec();
        expected.push(text(&answer).to_owned());
        let received = client.received();
        let last: Vec<_> = received[received.len() - 4..]
            .iter()
            .map(|line| text(line))
            .collect();
        assert_eq!(last, expected);
    }
}

async fn logs_reach_the_client_that_requested_them(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = logging(builder).on_call(log_three_levels).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let before = client.received().len();
        let meta = format!(r#""{}":"info""#, META_KEYS[3]);
        let line = pairing.line("8", "tools/call", "", r#""name":"t""#);
        client.exchange(line, "8").await;
        assert_eq!(client.received().len(), before + 1);
        let line = pairing.line("9", "tools/call", &meta, r#""name":"t""#);
        client.exchange(line, "9").await;
        assert!(client.close().await.success());
        let received = client.received();
        let received: Vec<_> = received[before + 1..]
            .iter()
            .map(|line| text(line))
            .collect();
        assert_eq!(received[..received.len() - 1], ["info", "error"].map(log));
    }
}

async fn logs_outside_of_requests_pass_unchanged(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = logging(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        server.event_stream().await.send(log("info")).await;
        let received = client.notification_line("notifications/message").await;
        assert_eq!(text(&received), log("info"));
    }
}

async fn logs_outside_of_requests_are_dropped(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = logging(builder).start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let meta = format!(r#""{}":"debug""#, META_KEYS[3]);
        let line = pairing.line("8", "tools/call", &meta, r#""name":"t""#);
        client.exchange(line, "8").await;
        let stream = server.event_stream().await;
        stream.send(log("error")).await;
        stream.read().await;
        assert!(client.close().await.success());
        assert!(client.received_with("notifications/message").is_empty());
    }
}
