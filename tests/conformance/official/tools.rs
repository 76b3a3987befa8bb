//! Tools: their definitions, every kind of content, and failures.

use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use crate::official::in_each_pairing;
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    tools_are_listed_with_their_schemas
    every_kind_of_content_arrives
    tool_error_arrives
    unknown_tool_is_a_protocol_error
    tool_arguments_arrive
}

async fn tools_are_listed_with_their_schemas(pairing: Pairing) {
    let session = pairing.connect().await;
    let listed = within("the tools", session.client.list_all_tools()).await;
    let listed: Vec<Value> = listed.unwrap().iter().map(|tool| json!(tool)).collect();
    let count = listed
        .iter()
        .filter(|tool| tool["name"].as_str().unwrap().starts_with("test_"));
    assert_eq!(count.count(), 29, "{pairing:?}: {listed:?}");
    let schema = listed
        .iter()
        .find(|tool| tool["name"] == "json_schema_2020_12_tool")
        .unwrap();
    let schema = &schema["inputSchema"];
    for (keyword, value) in [
        (
            "$schema",
            json!("https://json-schema.org/draft/2020-12/schema"),
        ),
        ("additionalProperties", json!(false)),
        ("then", json!({"required": ["phone"]})),
        (
            "allOf",
            json!([{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}]),
        ),
    ] {
        assert_eq!(schema[keyword], value, "{pairing:?}");
    }
    assert_eq!(
        schema["$defs"]["address"]["$anchor"], "addressDef",
        "{pairing:?}"
    );
    session.assert_eras();
}

async fn every_kind_of_content_arrives(pairing: Pairing) {
    let session = pairing.connect().await;
    let picture = json!({"type": "image", "mimeType": "image/png"});
    let resource = |uri: &str, mime_type: &str, text: &str| {
        let resource = json!({"uri": uri, "mimeType": mime_type, "text": text});
        json!({"type": "resource", "resource": resource})
    };
    let embedded = "This is an embedded resource content.";
    let mixed = r#"{"test":"data","value":123}"#;
    for (tool, expected) in [
        (
            "test_simple_text",
            json!([{"type": "text", "text": "This is a simple text response for testing."}]),
        ),
        ("test_image_content", json!([picture])),
        (
            "test_audio_content",
            json!([{"type": "audio", "mimeType": "audio/wav"}]),
        ),
        (
            "test_embedded_resource",
            json!([resource("test://embedded-resource", "text/plain", embedded)]),
        ),
        (
            "test_multiple_content_types",
            json!([
                {"type": "text", "text": "Multiple content types test:"},
                picture,
                resource("test://mixed-content-resource", "application/json", mixed),
            ]),
        ),
    ] {
        let mut result = session.call(tool, json!({})).await;
        // Image and audio data are compared by their first characters.
        for block in result["content"].as_array_mut().unwrap() {
            let magic = match block["type"].as_str() {
                Some("image") => "iVBORw0KGgo",
                Some("audio") => "UklGR",
                _ => continue,
            };
            let data = block.as_object_mut().unwrap().remove("data").unwrap();
            assert!(
                data.as_str().unwrap().starts_with(magic),
                "{pairing:?}: {data}"
            );
        }
        assert_eq!(result["content"], expected, "{pairing:?}: {tool}");
        assert!(result["isError"] != true, "{pairing:?}: {result}");
    }
    session.assert_eras();
}

async fn tool_error_arrives(pairing: Pairing) {
    let session = pairing.connect().await;
    let result = session.call("test_error_handling", json!({})).await;
    assert_eq!(result["isError"], true, "{pairing:?}");
    let text = "This tool intentionally returns an error for testing";
    assert_eq!(result["content"][0]["text"], text, "{pairing:?}");
    session.assert_eras();
}

async fn unknown_tool_is_a_protocol_error(pairing: Pairing) {
    let session = pairing.connect().await;
    let call = session.client.call_tool(CallToolRequestParams::new("none"));
    let error = within("an error", call).await.unwrap_err();
    let ServiceError::McpError(error) = error else {
        panic!("{pairing:?}: {error}");
    };
    assert_eq!(error.code.0, -32602, "{pairing:?}: {error}");
    assert!(error.message.contains("none"), "{pairing:?}: {error}");
}

async fn tool_arguments_arrive(pairing: Pairing) {
    let session = pairing.connect().await;
    // For a modern server, one of them is sent in a header too.
    for (tool, argument) in [
        ("test_custom_header", "region"),
        ("json_schema_2020_12_tool", "name"),
    ] {
        let result = session.call(tool, json!({argument: "Zürich \"7\""})).await;
        assert_eq!(
            result["content"][0]["text"], "Zürich \"7\"",
            "{pairing:?}: {tool}"
        );
    }
    session.assert_eras();
}
