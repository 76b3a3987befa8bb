//! Handshake, discovery, capabilities, request metadata, headers, and sessions.

mod client_metadata;
mod transport;

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::{META_KEYS, meta_of, text};
use client_metadata::*;
use testkit::json::{bytes_of, part};
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::Upstream;
use transport::*;

crate::translation::rows! {
    initialize {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Initialization" => legacy_upstream_receives_client_info)
        legacy_to_modern ("MCP 2026-07-28 § Basic, _meta" => modern_upstreams_are_not_initialized)
        modern_to_legacy ("MCP 2026-07-28 § Versioning, Backward Compatibility" => each_set_of_capabilities_has_its_session)
        modern_to_modern ("MCP 2026-07-28 § Basic, Statelessness" => modern_upstreams_are_not_initialized)
    }
    initialized {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Initialization" => session_is_opened_once)
        legacy_to_modern ("MCP 2026-07-28 § Subscriptions, Opening a Stream" => client_receives_changes)
        modern_to_legacy ("MCP 2025-11-25 § Lifecycle, Initialization" => session_is_opened_once)
        modern_to_modern ["neither side has a handshake"]
    }
    discover {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Initialization" => discover_is_an_error_without_metadata)
        legacy_to_modern ("MCP 2026-07-28 § Versioning, Backward Compatibility" => discover_is_an_error_without_metadata)
        modern_to_legacy ("MCP 2026-07-28 § Discovery, Response" => discover_describes_the_proxy)
        modern_to_modern ("MCP 2026-07-28 § Discovery, Response" => discover_describes_the_proxy)
    }
    capabilities_of_the_server {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Capability Negotiation" => bridged_capabilities_are_declared)
        legacy_to_modern ("MCP 2025-11-25 § Lifecycle, Capability Negotiation" => bridged_capabilities_are_declared)
        modern_to_legacy ("MCP 2026-07-28 § Discovery, DiscoverResult" => modern_capabilities_are_declared)
        modern_to_modern ("MCP 2026-07-28 § Versioning, Extension Negotiation" => extensions_are_declared)
    }
    capabilities_of_the_client {
        legacy_to_legacy ("MCP 2025-11-25 § Lifecycle, Capability Negotiation" => legacy_upstream_receives_client_info)
        legacy_to_modern ("MCP 2026-07-28 § Basic, _meta" => client_capabilities_are_those_of_the_revision)
        modern_to_legacy ("MCP 2025-11-25 § Lifecycle, Capability Negotiation" => each_set_of_capabilities_has_its_session)
        modern_to_modern ("MCP 2026-07-28 § Basic, _meta" => metadata_passes_unchanged)
    }
    metadata {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, _meta" => protocol_keys_are_not_added)
        legacy_to_modern ("MCP 2026-07-28 § Basic, _meta" => protocol_keys_are_added)
        modern_to_legacy ("MCP 2026-07-28 § Versioning, Backward Compatibility" => protocol_keys_are_not_added)
        modern_to_modern ("MCP 2026-07-28 § Basic, _meta" => metadata_passes_unchanged)
    }
    headers {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Protocol Version Header" => session_headers_are_sent)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Standard Request Headers" => request_headers_are_sent)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Protocol Version Header" => session_headers_are_sent)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Standard Request Headers" => request_headers_are_sent)
    }
    param_headers {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Sending Messages to the Server" => param_headers_are_not_sent)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Custom Headers from Tool Parameters" => param_headers_are_sent)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Sending Messages to the Server" => param_headers_are_not_sent)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Custom Headers from Tool Parameters" => param_headers_are_sent)
    }
    stale_param_headers {
        legacy_to_legacy ["a legacy upstream compares no headers with the body"]
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Client Behavior" => stale_schema_is_refreshed)
        modern_to_legacy ["a legacy upstream compares no headers with the body"]
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Client Behavior" => stale_schema_is_refreshed)
    }
    sessions {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Session Management" => sessions_are_renewed_and_closed)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Earlier Streamable HTTP Revisions" => session_ids_are_ignored)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Session Management" => sessions_are_renewed_and_closed)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Earlier Streamable HTTP Revisions" => session_ids_are_ignored)
    }
    lost_sessions {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Session Management" => session_state_is_restored)
        legacy_to_modern ["a modern upstream has no sessions to lose"]
        modern_to_legacy ("MCP 2025-11-25 § Transports, Session Management" => subscriptions_are_restored)
        modern_to_modern ["a modern upstream has no sessions to lose"]
    }
}

const CLIENT_INFO: &str = r#"{ "name":"test\u0020er", "version":"1.0","x":[ 1E2 ]}"#;

/// The `initialize` requests that the server received, in order.
fn sessions_of(server: &Upstream) -> Vec<Request> {
    server.requests_of("initialize")
}

async fn legacy_upstream_receives_client_info(pairing: Pairing) {
    let capabilities = r#"{"roots":{ "listChanged":true},"sampling":{"x":1.0},"tasks":{},"experimental":{"y\/z":{}}}"#;
    for builder in pairing.servers() {
        let server = builder.tool("t").start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let initialize = format!(
            r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"2025-06-18","capabilities":{capabilities},"clientInfo":{CLIENT_INFO}}}}}"#
        );
        let answer = client.exchange(initialize, r#""i""#).await;
        let version = bytes_of(&answer, &["result", "protocolVersion"]);
        assert_eq!(version, r#""2025-06-18""#);
        client.notify("notifications/initialized", json!({})).await;
        let list = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
        client.exchange(list, r#""l""#).await;

        let sessions = sessions_of(&server);
        assert_eq!(sessions.len(), 1);
        let notification = |member| bytes_of(&sessions[0].body, &["params", member]).to_owned();
        assert_eq!(notification("clientInfo"), CLIENT_INFO);
        assert_eq!(notification("capabilities"), capabilities);
    }
}

async fn modern_upstreams_are_not_initialized(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    client.call("t", json!({})).await;
    assert!(sessions_of(&server).is_empty());
    assert!(server.requests_of("notifications/initialized").is_empty());
    let call = &server.requests_of("tools/call")[0];
    let info = &meta_of(call)[META_KEYS[1]];
    assert_eq!(*info, json!({"name": "test", "version": "1"}));
}

async fn each_set_of_capabilities_has_its_session(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let asking = r#"{"elicitation":{ "form":{}},"roots":{}}"#;
    let sampling = r#"{"sampling":{"x":1.0}}"#;
    let extended = r#"{"sampling":{"x":1.0},"extensions":{"example.com/x":{}}}"#;
    for (id, capabilities) in [
        ("1", asking),
        ("2", sampling),
        ("3", asking),
        ("4", extended),
    ] {
        let line = pairing.line_with(capabilities, id, "tools/call", "", r#""name":"t""#);
        let answer = client.exchange(line, id).await;
        assert!(part(&answer, &["result"]).is_some(), "{}", text(&answer));
    }
    let sessions = sessions_of(&server);
    let declared = |request: &Request| {
        let declared = bytes_of(&request.body, &["params", "capabilities"]);
        serde_json::from_str::<Value>(declared).unwrap()
    };
    let calls = server.requests_of("tools/call");
    let of_call = |index: usize| {
        let session = calls[index].header("mcp-session-id").unwrap();
        let number: usize = session.strip_prefix("session-").unwrap().parse().unwrap();
        declared(&sessions[number - 1])
    };
    let [asking, sampling] = [asking, sampling].map(|c| serde_json::from_str::<Value>(c).unwrap());
    let found: Vec<_> = (0..4).map(of_call).collect();
    assert_eq!(found, [asking.clone(), sampling.clone(), asking, sampling]);
    assert_eq!(sessions.len(), 2);
}

async fn session_is_opened_once(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = builder.tool("t").start().await;
        let mut client = pairing.client(&server).await;
        let ours = r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"x":"own"}}"#;
        client.send_line(ours).await;
        client.call("t", json!({})).await;
        let opened = server.requests_of("notifications/initialized");
        assert_eq!(opened.len(), 1);
        assert!(!opened[0].text().contains("own"), "{}", opened[0].text());
    }
}

async fn client_receives_changes(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let listen = server.wait_for_request("subscriptions/listen").await;
    assert_eq!(
        listen.json()["params"]["notifications"]["toolsListChanged"],
        true
    );
    client.wait_for_tools(&["t"]).await;
    assert!(server.requests_of("notifications/initialized").is_empty());
}

async fn discover_is_an_error_without_metadata(pairing: Pairing) {
    let server = pairing.server().tool("t").start().await;
    let mut client = pairing.client(&server).await;
    let response = client.request("server/discover", json!({"x": "own"})).await;
    // The method is unknown in legacy eras; the request is malformed in the modern one.
    let code = response["error"]["code"].as_i64();
    assert!(matches!(code, Some(-32601 | -32602)), "{response}");
    client.tool_names().await;
    let probes = server.requests_of("server/discover");
    assert!(probes.iter().all(|probe| !probe.text().contains("own")));
    assert!(probes.iter().all(|probe| {
        META_KEYS[..3]
            .iter()
            .all(|key| !meta_of(probe)[*key].is_null())
    }));
}

async fn discover_describes_the_proxy(pairing: Pairing) {
    let server = pairing.server().tool("t").instructions("Look here.");
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    for connected in [false, true] {
        let response = client.modern("server/discover", json!({})).await;
        let result = &response["result"];
        let versions = result["supportedVersions"].as_array().unwrap();
        let versions: Vec<_> = versions.iter().map(|v| v.as_str().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a > b), "{versions:?}");
        assert_eq!(versions[..2], ["2026-07-28", "2025-11-25"]);
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["ttlMs"], 0);
        assert_eq!(result["cacheScope"], "private");
        let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "mcp-manifold");
        assert!(result["capabilities"]["tools"].is_object());
        if connected {
            let instructions = result["instructions"].as_str().unwrap();
            assert!(instructions.contains("Look here."), "{instructions}");
        }
        client.tool_names().await;
    }
}

const EVERYTHING: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"completions":{},"extensions":{"example.com/x":{"y":1}}}"#;

async fn bridged_capabilities_are_declared(pairing: Pairing) {
    let server = pairing.server().capabilities(EVERYTHING).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let declared = client.initialize().await["capabilities"].take();
    for member in ["tools", "prompts", "resources"] {
        assert_eq!(declared[member]["listChanged"], true, "{declared}");
    }
    assert_eq!(declared["resources"]["subscribe"], true, "{declared}");
    assert!(declared["logging"].is_object(), "{declared}");
    assert!(declared["completions"].is_object(), "{declared}");
    assert!(declared["extensions"].is_null(), "{declared}");
}

async fn modern_capabilities_are_declared(pairing: Pairing) {
    let declared = r#"{"tools":{"listChanged":true},"resources":{"subscribe":true},"completions":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#;
    let server = pairing.server().capabilities(declared).start().await;
    let mut client = pairing.client(&server).await;
    client.tool_names().await;
    let response = client.modern("server/discover", json!({})).await;
    let declared = &response["result"]["capabilities"];
    assert_eq!(declared["tools"]["listChanged"], true, "{declared}");
    assert_eq!(declared["resources"]["subscribe"], true, "{declared}");
    assert!(declared["completions"].is_object(), "{declared}");
    assert!(declared["tasks"].is_null(), "{declared}");
}

async fn extensions_are_declared(pairing: Pairing) {
    let a = pairing.server().capabilities(EVERYTHING).start().await;
    let other = r#"{"tools":{},"extensions":{"example.com/z":{}}}"#;
    let b = pairing.server().capabilities(other).start().await;
    let mut client = pairing.client_of_two(&a, &b).await;
    client.tool_names().await;
    let response = client.modern("server/discover", json!({})).await;
    let declared = &response["result"]["capabilities"];
    assert_eq!(declared["tools"]["listChanged"], true, "{declared}");
    assert_eq!(declared["resources"]["subscribe"], true, "{declared}");
    let extensions = json!({"example.com/x": {"y": 1}, "example.com/z": {}});
    assert_eq!(declared["extensions"], extensions);
}
