//! Methods that no revision of MCP defines are forwarded if an upstream may know them.

use serde_json::json;

use crate::pairing::Pairing;
use crate::translation::pairing::{META_KEYS, meta_of, text};
use testkit::json::{bytes_of, part};
use testkit::raw::Request;
use testkit::upstream::Call;

crate::translation::rows! {
    unknown_requests {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Capability Negotiation" => unknown_request_reaches_the_only_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => unknown_request_reaches_the_only_upstream)
        modern_to_legacy ("MCP 2026-07-28 § Versioning, Extension Negotiation" => unknown_request_reaches_the_only_upstream)
        modern_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => unknown_request_reaches_the_only_upstream)
    }
    unknown_requests_of_several_upstreams {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Responses" => unknown_request_reaches_the_declaring_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => unknown_request_reaches_the_declaring_upstream)
        modern_to_legacy ("MCP 2025-11-25 § Basic, Responses" => unknown_request_reaches_the_declaring_upstream)
        modern_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => unknown_request_reaches_the_declaring_upstream)
    }
    unknown_notifications {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Notifications" => unknown_notification_reaches_all_upstreams)
        legacy_to_modern ["2026-07-28 defines no notification to servers over HTTP, nor its headers"]
        modern_to_legacy ("MCP 2025-11-25 § Basic, Notifications" => unknown_notification_reaches_all_upstreams)
        modern_to_modern ["2026-07-28 defines no notification to servers over HTTP, nor its headers"]
    }
    unknown_of_the_server {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Notifications" => unknown_notification_of_a_call_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Receiving Messages" => unknown_notification_of_a_call_passes_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Stdio, Receiving Messages" => unknown_notification_of_a_call_passes_unchanged)
        modern_to_modern ("MCP 2026-07-28 § Stdio, Receiving Messages" => unknown_notification_of_a_call_passes_unchanged)
    }
}

const RESULT: &str = r#"{ "x":1E2,"resultType":"complete"}"#;

async fn unknown_request_reaches_the_only_upstream(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = builder.result("example.com/do", RESULT).start().await;
        let mut client = pairing.client(&server).await;
        let members = r#""y":[ 1.0],"x":"\u00e9""#;
        let line = pairing.line("7", "example.com/do", r#""z":1E2"#, members);
        let answer = client.exchange(line, "7").await;
        assert_eq!(
            part(&answer, &["result"]),
            Some(RESULT),
            "{}",
            text(&answer)
        );
        let request = server.wait_for_request("example.com/do").await;
        assert!(request.text().contains(members), "{}", request.text());
        let meta = meta_of(&request);
        assert_eq!(meta["z"], 1e2);
        for key in &META_KEYS[..3] {
            assert_eq!(meta[key].is_null(), pairing.legacy_upstream(), "{meta}");
        }
    }
}

async fn unknown_request_reaches_the_declaring_upstream(pairing: Pairing) {
    let declared = r#"{"tools":{},"skills":{},"extensions":{"example.com/skills":{}}}"#;
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let a = a.tool("t").start().await;
        let b = b.capabilities(declared).tool("u");
        let b = b.result("skills/list", RESULT).start().await;
        let mut client = pairing.client_of_two(&a, &b).await;
        client.tool_names().await;
        let line = pairing.line("7", "skills/list", "", r#""x":1E2"#);
        let answer = client.exchange(line, "7").await;
        assert_eq!(bytes_of(&answer, &["result"]), RESULT);
        let response = client
            .request_in_era("example.com/unknown", json!({}))
            .await;
        assert_eq!(response["error"]["code"], -32601, "{response}");
        for (method, server) in [
            ("skills/list", &a),
            ("example.com/unknown", &a),
            ("example.com/unknown", &b),
        ] {
            assert!(server.requests_of(method).is_empty());
        }
    }
}

async fn unknown_notification_reaches_all_upstreams(pairing: Pairing) {
    let line = r#"{ "jsonrpc":"2.0","x":1E2,"method":"notifications\/example","params":{"y":[ "\u00e9"]}}"#;
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let (a, b) = (a.tool("t").start().await, b.tool("u").start().await);
        let mut client = pairing.client_of_two(&a, &b).await;
        client.tool_names().await;
        client.send_line(line).await;
        for server in [&a, &b] {
            let is_it = |message: &Request| message.is("notifications/example");
            let notification = server.wait_for_message("a notification", is_it).await;
            assert_eq!(text(&notification), line);
        }
    }
}

async fn unknown_notification_of_a_call_passes_unchanged(pairing: Pairing) {
    const NOTIFICATION: &str = r#"{ "jsonrpc":"2.0","x":1E2,"method":"notifications\/example","params":{"y":[ "\u00e9"]}}"#;
    let mut servers = pairing.servers();
    if !pairing.legacy_client() {
        // A notification over HTTP+SSE does not name its call.
        servers.truncate(1);
    }
    for builder in servers {
        let server = builder.tool("t").on_call(|call: Call| async move {
            call.send(NOTIFICATION).await;
            br#"{"content":[],"resultType":"complete"}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = pairing.client(&server).await;
        client.tool_names().await;
        let level = format!(r#""{}":"debug""#, META_KEYS[3]);
        let level = if pairing.legacy_client() { "" } else { &level };
        let line = pairing.line("7", "tools/call", level, r#""name":"t""#);
        let answer = client.exchange(line, "7").await;
        let received = client.received();
        assert_eq!(
            received[received.len() - 2..],
            [NOTIFICATION.as_bytes().to_vec(), answer]
        );
    }
}
