//! Detection of an upstream's era. A modern probe is sent first. An error that no modern server
//! sends leads to `initialize` (MCP 2026-07-28 § Versioning, Backward Compatibility).

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::eras::methods_of;
use testkit::json::text_of;
use testkit::raw::Reply;
use testkit::{proxy, upstream};

/// The response to the probe whose id has these bytes.
type Answer = fn(&[u8]) -> Reply;

/// A JSON-RPC error without an id, with this status.
fn error_response(status: u16, code: i32) -> Reply {
    let error = json!({"code": code, "message": "Bad Request: not initialized"});
    let message = json!({"jsonrpc": "2.0", "id": null, "error": error});
    Reply::json(message.to_string()).with_status(status)
}

/// Error -32022 in response to the probe with this id, with the supported versions.
fn unsupported(id: &[u8], versions: &[&str]) -> Reply {
    let id: Value = serde_json::from_slice(id).unwrap();
    let data = json!({"supported": versions, "requested": "2026-07-28"});
    let error = json!({"code": -32022, "message": "Unsupported protocol version", "data": data});
    let message = json!({"jsonrpc": "2.0", "id": id, "error": error});
    Reply::json(message.to_string()).with_status(400)
}

/// A discovery result with these versions.
fn discovery(id: &[u8], versions: &[&str]) -> Reply {
    let id: Value = serde_json::from_slice(id).unwrap();
    let result = json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": {"tools": {}},
        "ttlMs": 0,
        "cacheScope": "private",
    });
    Reply::json(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
}

/// A legacy server that responds to the probe with `probe`.
fn legacy_that_answers(
    probe: impl Fn(&[u8]) -> Reply + Send + Sync + 'static,
) -> upstream::Builder {
    let server = upstream::legacy().tool("search").without_server_stream();
    server.intercept(move |request| {
        let id = request.id_bytes().unwrap_or_default();
        request.is("server/discover").then(|| probe(&id))
    })
}

#[tokio::test]
async fn server_answering_the_probe_is_modern_and_gets_no_initialize() {
    let server = upstream::modern().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    assert_eq!(client.tool_names().await, ["search"]);
    client.call("search", json!({})).await;
    let methods = methods_of(&server.raw.requests());
    assert_eq!(methods[0], "POST server/discover");
    assert!(
        methods.contains(&"POST tools/list".to_owned()),
        "{methods:?}"
    );
    assert!(
        !methods.contains(&"POST initialize".to_owned()),
        "{methods:?}"
    );
    client.wait_for_stderr("modern").await;
}

#[tokio::test]
async fn probe_error_unlike_a_modern_server_leads_to_initialize() {
    let probes: Vec<(&str, Answer)> = vec![
        ("400, session required", |_| error_response(400, -32000)),
        ("400, a code of its own", |_| error_response(400, -32999)),
        ("400, nothing more", |_| Reply::status(400)),
        ("403, a text", |_| Reply::status(403).body("Forbidden")),
        ("404, nothing more", |_| Reply::status(404)),
        ("404, a page", |_| {
            Reply::status(404)
                .header("content-type", "text/html")
                .body("<html>")
        }),
        ("405", |_| Reply::status(405)),
        ("406", |_| Reply::status(406)),
        ("422", |_| error_response(422, -32600)),
        ("500", |_| Reply::status(500).body("unknown method")),
        ("200, method not found", |_| error_response(200, -32601)),
        ("200, invalid params", |_| error_response(200, -32602)),
        ("200, invalid request", |_| error_response(200, -32600)),
        ("200, another result", |id| {
            let id = String::from_utf8_lossy(id).into_owned();
            Reply::json(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#))
        }),
        ("200, no JSON", |_| Reply::json("OK")),
        ("200, a page", |_| {
            Reply::json("<html>").header("content-type", "text/html")
        }),
        ("202", |_| Reply::status(202)),
        ("a reset", |_| Reply::reset()),
        ("an empty stream", |_| Reply::sse([""; 0])),
        ("legacy versions only", |id| {
            unsupported(id, &["2025-11-25", "2025-06-18"])
        }),
        ("a legacy version and a newer one", |id| {
            unsupported(id, &["2027-01-01", "2025-11-25"])
        }),
        ("a discovery of legacy versions", |id| {
            discovery(id, &["2025-11-25"])
        }),
    ];
    let mut servers = Vec::new();
    let mut proxy = proxy::new();
    for (name, probe) in probes {
        let server = legacy_that_answers(probe).start().await;
        // One proxy for all servers; each server has a tool with its name.
        server.set_tools([upstream::tool(&name.replace([' ', ','], "_")).as_str()]);
        proxy = proxy.upstream(&format!("s{}", servers.len()), &server);
        servers.push((name, server));
    }
    let mut client = proxy.start().await;
    client.initialize().await;
    let names: Vec<_> = servers
        .iter()
        .map(|(name, _)| name.replace([' ', ','], "_"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    client.wait_for_tools(&names).await;

    for (name, server) in &servers {
        let requests = server.raw.requests();
        let begun = &methods_of(&requests)[..3];
        let expected = [
            "POST server/discover",
            "POST initialize",
            "POST notifications/initialized",
        ];
        assert_eq!(begun, expected, "{name}");
        let initialize = &requests[1];
        let version = &initialize.json()["params"]["protocolVersion"];
        assert_eq!(*version, "2025-11-25", "{name}");
        for header in ["mcp-session-id", "mcp-protocol-version", "mcp-method"] {
            assert_eq!(initialize.header(header), None, "{name}: {header}");
        }
    }
}

#[tokio::test]
async fn probe_timeout_leads_to_initialize() {
    let server = legacy_that_answers(|_| Reply::hang()).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", json!({"timeout": "1s"})).start().await;
    client.initialize().await;

    client.wait_for_tools(&["search"]).await;
    let response = client.call("search", json!({"q": 1})).await;
    assert_eq!(text_of(&response), r#"search {"q":1}"#);
}

#[tokio::test]
async fn modern_error_codes_do_not_lead_to_initialize() {
    let probes: [(&str, Answer); 5] = [
        ("-32020", |_| error_response(400, -32020)),
        ("-32021", |_| error_response(400, -32021)),
        ("2027-01-01", |id| unsupported(id, &["2027-01-01"])),
        ("supports only null", |_| {
            let error = r#"{"code":-32022,"message":"no","data":"2026-07-28"}"#;
            let message = format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#);
            Reply::json(message).with_status(400)
        }),
        ("401", |_| Reply::status(401)),
    ];
    for (sign, probe) in probes {
        let server = legacy_that_answers(probe).start().await;
        let client = proxy::new().upstream("a", &server);
        let client = client.extra("a", json!({"oauth": false}));
        let mut client = client.start().await;

        assert_eq!(client.tool_names().await, [""; 0], "{sign}");
        client.wait_for_stderr(sign).await;
        let methods = methods_of(&server.raw.requests());
        assert!(
            methods
                .iter()
                .all(|method| method == "POST server/discover"),
            "{sign}: {methods:?}"
        );
    }
}

/// Rejects the proxy's revision `times` times, although it lists the revision as supported.
fn that_refuses_what_it_supports(
    server: upstream::Builder,
    times: usize,
    versions: &'static [&'static str],
) -> upstream::Builder {
    let probes = AtomicUsize::new(0);
    server.intercept(move |request| {
        let probe = request.is("server/discover");
        let refused = probe && probes.fetch_add(1, Ordering::Relaxed) < times;
        refused.then(|| unsupported(&request.id_bytes().unwrap(), versions))
    })
}

#[tokio::test]
async fn server_rejecting_a_supported_version_is_probed_again() {
    let offers: [&[&str]; 2] = [&["2026-07-28"], &["2025-11-25", "2026-07-28"]];
    for versions in offers {
        let server = upstream::modern().tool("search");
        let server = that_refuses_what_it_supports(server, 1, versions);
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;

        assert_eq!(client.tool_names().await, ["search"], "{versions:?}");
        let requests = server.raw.requests();
        let methods = methods_of(&requests);
        let probes = methods.iter().filter(|it| *it == "POST server/discover");
        assert_eq!(probes.count(), 2, "{methods:?}");
        assert!(
            !methods.contains(&"POST initialize".to_owned()),
            "{methods:?}"
        );
        assert_ne!(requests[0].id_bytes(), requests[1].id_bytes());
        for probe in &requests[..2] {
            let notification = probe.header("mcp-protocol-version");
            assert_eq!(notification, Some("2026-07-28"));
        }
    }
}

#[tokio::test]
async fn server_always_rejecting_its_own_version_is_an_error() {
    let probes = AtomicUsize::new(0);
    let server = upstream::legacy().tool("search").intercept(move |request| {
        let probe = request.is("server/discover");
        probe.then(|| match probes.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => unsupported(&request.id_bytes().unwrap(), &["2026-07-28"]),
            // Ends the next attempt to connect; the first attempt must not reach this.
            _ => Reply::status(401),
        })
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    assert_eq!(client.tool_names().await, [""; 0]);
    client
        .wait_for_stderr("rejects revision `2026-07-28`")
        .await;
    let methods = methods_of(&server.raw.requests());
    assert!(matches!(methods.len(), 2 | 3), "{methods:?}");
    assert!(
        methods
            .iter()
            .all(|method| method == "POST server/discover"),
        "{methods:?}"
    );
}

#[tokio::test]
async fn legacy_version_is_used_after_two_modern_rejections() {
    let server = upstream::legacy().tool("search").without_server_stream();
    let versions = &["2026-07-28", "2025-11-25"];
    let server = that_refuses_what_it_supports(server, usize::MAX, versions);
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    assert_eq!(client.tool_names().await, ["search"]);
    let begun = &methods_of(&server.raw.requests())[..3];
    let probe = "POST server/discover";
    assert_eq!(begun, [probe, probe, "POST initialize"]);
}

#[tokio::test]
async fn probe_and_initialize_send_the_configured_headers() {
    let server = upstream::legacy().tool("search").start().await;
    let proxy = proxy::new().upstream("a", &server);
    let headers = json!({"headers": {"X-Api-Key": "k-123"}});
    let mut client = proxy.extra("a", headers).start().await;

    assert_eq!(client.tool_names().await, ["search"]);
    let requests = server.raw.requests();
    assert!(requests.len() >= 4, "{:?}", methods_of(&requests));
    for request in requests {
        assert_eq!(request.header("x-api-key"), Some("k-123"), "{request:?}");
    }
}
