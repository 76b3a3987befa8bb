//! The revision used with a legacy upstream, and the revisions that a client receives.

use serde_json::json;

use crate::eras::methods_of;
use testkit::{proxy, upstream};

#[tokio::test]
async fn version_of_the_initialize_result_is_used() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25", "2024-11-05"] {
        let server = upstream::legacy().versions([version]).tool("search");
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;

        assert_eq!(client.tool_names().await, ["search"], "{version}");
        let later = |request: &testkit::raw::Request| {
            request.header("mcp-session-id").is_some() && request.method == "POST"
        };
        let requests = server.raw.wait_for_count(2, later).await;
        for request in requests {
            let notification = request.header("mcp-protocol-version");
            assert_eq!(notification, Some(version), "{}", request.rpc_method());
        }
    }
}

#[tokio::test]
async fn unknown_version_in_the_initialize_result_is_an_error() {
    for version in ["2030-01-01", "2026-07-28", ""] {
        let server = upstream::legacy().versions([version]).tool("search");
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;

        assert_eq!(client.tool_names().await, [""; 0], "{version}");
        client.wait_for_stderr(&format!("`{version}`")).await;
        let methods = methods_of(&server.raw.requests());
        assert!(
            !methods.contains(&"POST notifications/initialized".to_owned()),
            "{version}: {methods:?}"
        );
    }
}

#[tokio::test]
async fn initialize_result_has_the_requested_version_or_the_newest() {
    let cases = [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ];
    let mut client = proxy::new().start().await;
    for (requested, answered) in cases {
        let client_info = json!({"name": "test", "version": "1"});
        let params =
            json!({"protocolVersion": requested, "capabilities": {}, "clientInfo": client_info});
        let response = client.request("initialize", params).await;
        assert_eq!(
            response["result"]["protocolVersion"], answered,
            "{requested}"
        );
    }
}

#[tokio::test]
async fn unsupported_modern_version_is_rejected_with_supported_ones() {
    let server = upstream::modern().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    for method in ["server/discover", "tools/list", "tools/call"] {
        let mut params = proxy::with_meta(json!({"name": "search"}));
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2027-01-01");
        let response = client.request(method, params).await;

        assert_eq!(response["error"]["code"], -32022, "{response}");
        let data = &response["error"]["data"];
        assert_eq!(data["requested"], "2027-01-01");
        let supported = data["supported"].as_array().unwrap();
        assert!(supported.contains(&json!("2026-07-28")), "{response}");
    }
    assert_eq!(server.calls().len(), 0);
    assert_eq!(client.tool_names().await, ["search"]);
}

#[tokio::test]
async fn one_client_may_use_both_eras_on_one_connection() {
    let server = upstream::legacy().tool("search").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    client
        .notify("notifications/roots/list_changed", json!({}))
        .await;
    let discovered = client.modern("server/discover", json!({})).await;
    let versions = &discovered["result"]["supportedVersions"];
    assert_eq!(versions[0], "2026-07-28", "{discovered}");
    client.initialize().await;
    let legacy = client.request("tools/list", json!({})).await;
    let modern = client.modern("tools/list", json!({})).await;
    let again = client.initialize().await;

    assert_eq!(legacy["result"]["tools"], modern["result"]["tools"]);
    assert_eq!(legacy["result"]["resultType"], json!(null));
    assert_eq!(modern["result"]["resultType"], "complete");
    assert_eq!(again["protocolVersion"], "2025-11-25");
    client.assert_every_line_is_json_rpc();
}
