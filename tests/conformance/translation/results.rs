//! Responses: result types, cache hints, pages, errors, HTTP statuses, and broken streams.

mod errors;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::pairing::Pairing;
use errors::*;
use testkit::json::bytes_of;
use testkit::proxy::Client;
use testkit::upstream::Builder;

crate::translation::rows! {
    result_type {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Responses" => results_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Basic, ResultType" => results_pass_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Basic, ResultType" => missing_result_type_is_added)
        modern_to_modern ("MCP 2026-07-28 § Basic, ResultType" => results_pass_unchanged)
    }
    unknown_result_type {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Responses" => unknown_result_type_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Basic, ResultType" => unknown_result_type_is_an_error)
        modern_to_legacy ["a legacy result has no type"]
        modern_to_modern ("MCP 2026-07-28 § Basic, ResultType" => unknown_result_type_passes_unchanged)
    }
    cache_hints {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Reading Resources" => reads_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Caching, Cacheable Model" => reads_pass_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Caching, Cacheable Model" => reads_get_cache_hints)
        modern_to_modern ("MCP 2026-07-28 § Caching, Cacheable Model" => reads_pass_unchanged)
    }
    cache_hints_of_lists {
        legacy_to_legacy ("MCP 2025-11-25 § Tools, Listing Tools" => listings_have_no_cache_hints)
        legacy_to_modern ("MCP 2025-11-25 § Tools, Listing Tools" => listings_have_no_cache_hints)
        modern_to_legacy ("MCP 2026-07-28 § Caching, Cacheable Results" => listing_cache_hints_do_not_exceed_the_upstreams)
        modern_to_modern ("MCP 2026-07-28 § Caching, Cacheable Results" => listing_cache_hints_do_not_exceed_the_upstreams)
    }
    pagination {
        legacy_to_legacy ("MCP 2025-11-25 § Pagination, Pagination Flow" => all_pages_are_listed)
        legacy_to_modern ("MCP 2026-07-28 § Pagination, Pagination Flow" => all_pages_are_listed)
        modern_to_legacy ("MCP 2026-07-28 § Caching, Interaction with Pagination" => all_pages_are_listed)
        modern_to_modern ("MCP 2026-07-28 § Caching, Interaction with Pagination" => all_pages_are_listed)
    }
    error_codes {
        legacy_to_legacy ("MCP 2025-11-25 § Basic, Responses" => errors_pass_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Basic, Error Codes" => errors_pass_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => errors_pass_unchanged)
        modern_to_modern ("MCP 2026-07-28 § Basic, Error Codes" => errors_pass_unchanged)
    }
    resource_not_found {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Error Handling" => missing_resource_error_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Resources, Error Handling" => missing_resource_error_passes_unchanged)
        modern_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => missing_resource_error_gets_the_code_of_the_revision)
        modern_to_modern ("MCP 2026-07-28 § Resources, Error Handling" => missing_resource_error_passes_unchanged)
    }
    http_status {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Sending Messages to the Server" => error_counts_with_any_http_status)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Server Validation" => error_counts_with_any_http_status)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Sending Messages to the Server" => error_counts_with_any_http_status)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Server Validation" => error_counts_with_any_http_status)
    }
    errors_of_the_proxy {
        legacy_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => proxy_errors_differ_from_server_errors)
        legacy_to_modern ("MCP 2026-07-28 § Basic, Error Codes" => proxy_errors_differ_from_server_errors)
        modern_to_legacy ("MCP 2026-07-28 § Basic, Error Codes" => proxy_errors_differ_from_server_errors)
        modern_to_modern ("MCP 2026-07-28 § Basic, Error Codes" => proxy_errors_differ_from_server_errors)
    }
    broken_streams {
        legacy_to_legacy ("MCP 2025-11-25 § Transports, Resumability and Redelivery" => broken_stream_is_resumed)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Receiving Messages" => only_idempotent_calls_are_repeated)
        modern_to_legacy ("MCP 2025-11-25 § Transports, Resumability and Redelivery" => broken_stream_is_resumed)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Receiving Messages" => only_idempotent_calls_are_repeated)
    }
}

const RESOURCES: &str = r#"{"tools":{},"prompts":{},"resources":{}}"#;

/// A server with the tool `t` and the resource `x://1`.
fn server(pairing: Pairing) -> Builder {
    let resource = r#"{"uri":"x://1","name":"one"}"#;
    let server = pairing.server().tool("t").capabilities(RESOURCES);
    server.offers("resources", [resource])
}

/// Sends a request. Returns the line of its response.
async fn exchange(pairing: Pairing, client: &mut Client, method: &str, members: &str) -> Vec<u8> {
    let line = pairing.line(r#""e""#, method, "", members);
    client.exchange(line, r#""e""#).await
}

/// The bytes of the result of a call that the upstream answers with `result`.
async fn result_for(pairing: Pairing, result: &'static str) -> Vec<u8> {
    let server = server(pairing).reply_with(|_| result.into()).start().await;
    let mut client = pairing.client(&server).await;
    exchange(pairing, &mut client, "tools/call", r#""name":"t""#).await
}

async fn results_pass_unchanged(pairing: Pairing) {
    let result = r#"{ "x":1E2,"content":[ ],"resultType":"complete" , "_meta":{"y":[1.0]}}"#;
    let line = result_for(pairing, result).await;
    assert_eq!(bytes_of(&line, &["result"]), result);
}

async fn missing_result_type_is_added(pairing: Pairing) {
    let line = result_for(pairing, r#"{ "x":1E2,"content":[ ]}"#).await;
    let expected = r#"{"resultType":"complete", "x":1E2,"content":[ ]}"#;
    assert_eq!(bytes_of(&line, &["result"]), expected);
    let typed = r#"{"content":[ ],"resultType":"complete"}"#;
    let line = result_for(pairing, typed).await;
    assert_eq!(bytes_of(&line, &["result"]), typed);
}

const UNKNOWN_TYPE: &str = r#"{"content":[],"resultType":"example.com\/x"}"#;

async fn unknown_result_type_passes_unchanged(pairing: Pairing) {
    let line = result_for(pairing, UNKNOWN_TYPE).await;
    assert_eq!(bytes_of(&line, &["result"]), UNKNOWN_TYPE);
}

async fn unknown_result_type_is_an_error(pairing: Pairing) {
    let line = result_for(pairing, UNKNOWN_TYPE).await;
    let error = bytes_of(&line, &["error", "message"]);
    assert!(error.contains("example.com"), "{error}");
}

/// The client's response to a read that the upstream answers with `result`.
async fn read(pairing: Pairing, result: &str) -> Vec<u8> {
    let server = server(pairing)
        .result("resources/read", result)
        .start()
        .await;
    let mut client = pairing.client(&server).await;
    exchange(pairing, &mut client, "resources/read", r#""uri":"x://1""#).await
}

async fn reads_pass_unchanged(pairing: Pairing) {
    let result = r#"{"contents":[ ],"ttlMs":1e3,"cacheScope":"public","resultType":"complete"}"#;
    let line = read(pairing, result).await;
    assert_eq!(bytes_of(&line, &["result"]), result);
}

async fn reads_get_cache_hints(pairing: Pairing) {
    let line = read(pairing, r#"{"contents":[ ],"x":1.0}"#).await;
    let result = bytes_of(&line, &["result"]);
    assert!(result.ends_with(r#""contents":[ ],"x":1.0}"#), "{result}");
    assert_eq!(bytes_of(&line, &["result", "ttlMs"]), "0");
    assert_eq!(bytes_of(&line, &["result", "cacheScope"]), r#""private""#);
    assert_eq!(bytes_of(&line, &["result", "resultType"]), r#""complete""#);
}

const LISTS: [(&str, &str, &str); 4] = [
    (
        "tools/list",
        "tools",
        r#"{"name":"t","inputSchema":{"type":"object"}}"#,
    ),
    ("prompts/list", "prompts", r#"{"name":"p"}"#),
    (
        "resources/list",
        "resources",
        r#"{"uri":"x://1","name":"x"}"#,
    ),
    (
        "resources/templates/list",
        "resourceTemplates",
        r#"{"uriTemplate":"x://{y}","name":"y"}"#,
    ),
];

/// The client's results of all listings of a server with these cache hints.
async fn lists(pairing: Pairing, ttl_ms: u64, scope: &str) -> Vec<Value> {
    let mut server = pairing.server().capabilities(RESOURCES);
    for (method, member, item) in LISTS {
        let hints = format!(r#""ttlMs":{ttl_ms},"cacheScope":"{scope}","resultType":"complete""#);
        let hints = if pairing.legacy_upstream() {
            r#""x":0"#
        } else {
            &hints
        };
        server = server.result(method, &format!(r#"{{"{member}":[{item}],{hints}}}"#));
    }
    let server = server.start().await;
    let mut client = pairing.client(&server).await;
    let mut results = Vec::new();
    for (method, member, item) in LISTS {
        let line = exchange(pairing, &mut client, method, "").await;
        let listed = bytes_of(&line, &["result", member]);
        assert_eq!(listed, format!("[{item}]"));
        results.push(serde_json::from_slice::<Value>(&line).unwrap()["result"].take());
    }
    results
}

async fn listings_have_no_cache_hints(pairing: Pairing) {
    for result in lists(pairing, 5000, "public").await {
        assert_eq!(result.as_object().unwrap().len(), 1, "{result}");
    }
}

async fn listing_cache_hints_do_not_exceed_the_upstreams(pairing: Pairing) {
    for (ttl_ms, scope) in [(5000, "public"), (0, "private")] {
        let ttl_ms = if pairing.legacy_upstream() { 0 } else { ttl_ms };
        for result in lists(pairing, ttl_ms, scope).await {
            assert_eq!(result["resultType"], "complete", "{result}");
            assert!(result["ttlMs"].as_u64().unwrap() <= ttl_ms, "{result}");
            let found = result["cacheScope"].as_str().unwrap();
            assert!(
                found == "private" || (scope, found) == ("public", "public"),
                "{result}"
            );
        }
    }
}

async fn all_pages_are_listed(pairing: Pairing) {
    for builder in pairing.servers() {
        let names = ["a", "b", "c", "d", "e"];
        let prompts = names.map(|name| format!(r#"{{"name":"{name}"}}"#));
        let mut builder = builder.page_size(2).capabilities(RESOURCES);
        builder = builder.offers("prompts", prompts.iter().map(String::as_str));
        for name in names {
            builder = builder.tool(name);
        }
        let server = builder.start().await;
        let mut client = pairing.client(&server).await;
        for (method, member) in [("tools/list", "tools"), ("prompts/list", "prompts")] {
            let (mut listed, mut scopes, mut params) = (Vec::new(), BTreeSet::new(), json!({}));
            loop {
                let response = client.request_in_era(method, params).await;
                let page = response["result"][member].as_array().unwrap().clone();
                listed.extend(page.into_iter().map(|item| item["name"].clone()));
                scopes.insert(response["result"]["cacheScope"].to_string());
                match &response["result"]["nextCursor"] {
                    Value::Null => break,
                    cursor => params = json!({"cursor": cursor}),
                }
            }
            assert_eq!(listed, names);
            assert_eq!(scopes.len(), 1, "{scopes:?}");
            let response = client
                .request_in_era(method, json!({"cursor": "unknown"}))
                .await;
            assert_eq!(response["error"]["code"], -32602, "{response}");
        }
    }
}
