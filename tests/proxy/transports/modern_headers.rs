//! The parts of a call that are repeated in headers (MCP 2026-07-28 § Request Metadata, and Custom
//! Headers from Tool Parameters). The scripted server rejects a header that differs from the body.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use testkit::json::text_of;
use testkit::{proxy, upstream};

fn tool(name: &str, schema: &Value) -> String {
    json!({"name": name, "inputSchema": schema}).to_string()
}

/// The header value of a `text` that no header can carry.
fn base64(text: &str) -> String {
    format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
}

#[tokio::test]
async fn tool_name_invalid_in_a_header_is_base64_encoded() {
    for name in ["größe", "=?base64?eA==?=", " spaced "] {
        let server = upstream::modern().tool(name).start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let public = client.tool_names().await.remove(0);
        let response = client.call(&public, json!({})).await;

        assert_eq!(text_of(&response), format!("{name} {{}}"));
        let call = server.raw.wait_for(|request| request.is("tools/call"));
        let sent = call.await;
        assert_eq!(sent.header("mcp-name"), Some(base64(name).as_str()));
    }
}

#[tokio::test]
async fn annotated_parameters_are_sent_in_headers() {
    let schema = json!({
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
            "where": {"type": "object", "properties": {
                "city": {"type": "string", "x-mcp-header": "City"},
            }},
            "plain": {"type": "string"},
        },
    });
    let cases = [
        (
            r#"{"region":"eu-west-1","count":42,"dry":true,"where":{"city":"Ulm"},"plain":"x"}"#,
            [Some("eu-west-1"), Some("42"), Some("true"), Some("Ulm")],
        ),
        (
            r#"{ "region" : null, "dry":false ,"where":{}}"#,
            [None, None, Some("false"), None],
        ),
        (r#"{"plain":"x"}"#, [None; 4]),
        (
            r#"{"region":"\u00fc","where":{"city":" padded"}}"#,
            [
                Some("=?base64?w7w=?="),
                None,
                None,
                Some("=?base64?IHBhZGRlZA==?="),
            ],
        ),
        (
            r#"{"region":"a\nInjected: 1","where":{"city":"=?base64?eA==?="}}"#,
            [
                Some("=?base64?YQpJbmplY3RlZDogMQ==?="),
                None,
                None,
                Some("=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
            ],
        ),
    ];
    let server = upstream::modern().tool_raw(&tool("find", &schema));
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["find"]).await;

    for (number, (arguments, expected)) in cases.iter().enumerate() {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"c{number}","method":"tools/call","params":{{"name":"find","arguments":{arguments}}}}}"#
        );
        let response = client.exchange(line, &format!("\"c{number}\"")).await;
        let response: Value = serde_json::from_slice(&response).unwrap();
        assert_eq!(text_of(&response), format!("find {arguments}"));

        let calls = server
            .raw
            .wait_for_count(number + 1, |r| r.is("tools/call"));
        let call = calls.await.remove(number);
        assert_eq!(call.argument_bytes().unwrap(), arguments.as_bytes());
        let names = ["region", "count", "dry-run", "city"];
        for (name, expected) in names.iter().zip(expected) {
            let sent = call.header(&format!("mcp-param-{name}"));
            assert_eq!(sent, *expected, "{name} of {arguments}");
        }
        let is_param_header = |(name, _): &&(String, String)| name.starts_with("mcp-param-");
        let sent = call.headers.iter().filter(is_param_header).count();
        assert_eq!(sent, expected.iter().flatten().count(), "{arguments}");
    }
}

#[tokio::test]
async fn tool_with_an_invalid_annotation_is_hidden_and_logged() {
    let property = |property: Value| json!({"type": "object", "properties": {"p": property}});
    let twice = json!({"type": "object", "properties": {
        "p": {"type": "string", "x-mcp-header": "Same"},
        "q": {"type": "string", "x-mcp-header": "same"},
    }});
    let invalid = [
        (
            "empty",
            property(json!({"type": "string", "x-mcp-header": ""})),
        ),
        (
            "no_token",
            property(json!({"type": "string", "x-mcp-header": "a b"})),
        ),
        (
            "a_break",
            property(json!({"type": "string", "x-mcp-header": "a\r\nb"})),
        ),
        (
            "no_string",
            property(json!({"type": "string", "x-mcp-header": 7})),
        ),
        (
            "an_array",
            property(json!({"type": "array", "x-mcp-header": "P"})),
        ),
        (
            "an_object",
            property(json!({"type": "object", "x-mcp-header": "P"})),
        ),
        ("twice", twice),
    ];
    let mut server = upstream::modern().tool("good");
    let mut old = upstream::legacy().tool("good_too");
    for (name, schema) in &invalid {
        server = server.tool_raw(&tool(name, schema));
        old = old.tool_raw(&tool(&format!("old_{name}"), schema));
    }
    let (server, old) = (server.start().await, old.start().await);
    let proxy = proxy::new().upstream("a", &server).upstream("b", &old);
    let mut client = proxy.start().await;

    let names = client.tool_names().await;
    // The legacy era ignores these annotations.
    assert_eq!(names[..2], ["good", "good_too"]);
    assert_eq!(names.len(), 2 + invalid.len(), "{names:?}");
    for (name, _) in &invalid {
        client.wait_for_stderr(&format!("tool=\"{name}\"")).await;
        let response = client.call(name, json!({"p": "x"})).await;
        assert_eq!(response["error"]["code"], -32602, "{name}");
    }
    assert_eq!(server.calls().len(), 0);
}
