//! The lists of tools, prompts, resources and templates.

use serde_json::{Value, json};

use super::changes::Counts;

/// Returns the tools, in listing order.
pub(crate) fn tools(changes: Counts) -> Value {
    let Counts { tools, prompts, .. } = changes;
    let tools_changed = format!("Changes the tools; has done so {tools} times");
    let prompts_changed = format!("Changes the prompts; has done so {prompts} times");
    json!([
        plain("test_simple_text", "Says a sentence"),
        plain("test_image_content", "Shows a picture"),
        plain("test_audio_content", "Plays a sound"),
        plain("test_embedded_resource", "Hands over a resource"),
        plain("test_multiple_content_types", "Says, shows and hands over"),
        plain("test_error_handling", "Fails"),
        plain("test_tool_with_logging", "Logs three messages"),
        plain("test_tool_with_progress", "Reports progress three times"),
        legacy_input("test_sampling", "Asks a model", "prompt"),
        legacy_input("test_elicitation", "Asks a person", "message"),
        plain(
            "test_elicitation_sep1034_defaults",
            "Asks with a default for each type"
        ),
        plain(
            "test_elicitation_sep1330_enums",
            "Asks with each kind of choice"
        ),
        plain("test_reconnection", "Closes the stream before it answers"),
        plain("test_input_required_result_elicitation", "Requires a name"),
        plain(
            "test_input_required_result_sampling",
            "Requires a model's answer"
        ),
        plain(
            "test_input_required_result_list_roots",
            "Requires the roots"
        ),
        plain(
            "test_input_required_result_request_state",
            "Requires its state back"
        ),
        plain(
            "test_input_required_result_multiple_inputs",
            "Requires three inputs at once"
        ),
        plain(
            "test_input_required_result_multi_round",
            "Requires two inputs in turn"
        ),
        plain(
            "test_input_required_result_tampered_state",
            "Requires its state back unchanged"
        ),
        plain(
            "test_input_required_result_capabilities",
            "Requires inputs that the client supports"
        ),
        plain("test_missing_capability", "Needs sampling"),
        plain("test_streaming_elicitation", "Requires a name, on a stream"),
        plain(
            "test_logging_tool",
            "Logs a message if the client accepts logs"
        ),
        plain("test_trigger_tool_change", &tools_changed),
        plain("test_trigger_prompt_change", &prompts_changed),
        plain(
            "test_trigger_resource_change",
            "Changes the watched resource"
        ),
        plain("test_unending_call", "Goes on until it is cancelled"),
        with_header(),
        with_keywords(),
    ])
}

fn plain(name: &str, description: &str) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    json!({"name": name, "description": description, "inputSchema": schema})
}

fn legacy_input(name: &str, description: &str, argument: &str) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {argument: {"type": "string", "description": "What to ask"}},
        "required": [argument],
    });
    json!({"name": name, "description": description, "inputSchema": schema})
}

fn with_header() -> Value {
    let region = json!({"type": "string", "x-mcp-header": "Region"});
    json!({
        "name": "test_custom_header",
        "description": "Takes an argument that travels in a header too",
        "inputSchema": {"type": "object", "properties": {"region": region}, "required": ["region"]},
    })
}

/// Returns JSON Schema keywords that a proxy would drop if it rebuilt schemas.
fn with_keywords() -> Value {
    let address = json!({
        "$anchor": "addressDef",
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
    });
    json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {"address": address},
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {
                "properties": {"contactMethod": {"const": "phone"}},
                "required": ["contactMethod"],
            },
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        },
    })
}

/// Returns the prompts.
pub(crate) fn prompts(changes: Counts) -> Value {
    let argument =
        |name: &str, what: &str| json!({"name": name, "description": what, "required": true});
    let simple = format!("Says a sentence; changed {} times", changes.prompts);
    json!([
        {"name": "test_simple_prompt", "description": simple},
        {
            "name": "test_prompt_with_arguments",
            "description": "Repeats its arguments",
            "arguments": [argument("arg1", "The first"), argument("arg2", "The second")],
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "Hands over a resource",
            "arguments": [argument("resourceUri", "The URI to hand over")],
        },
        {"name": "test_prompt_with_image", "description": "Shows a picture"},
        {"name": "test_input_required_result_prompt", "description": "Requires a context"},
    ])
}

/// Returns the resources.
pub(crate) fn resources() -> Value {
    let resource = |uri: &str, name: &str, mime_type: &str| json!({"uri": uri, "name": name, "description": name, "mimeType": mime_type});
    json!([
        resource("test://static-text", "A sentence", "text/plain"),
        resource("test://static-binary", "A picture", "image/png"),
        resource(
            "test://watched-resource",
            "Something to subscribe to",
            "text/plain"
        ),
    ])
}

/// Returns the resource templates.
pub(crate) fn resource_templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "Data by id",
        "description": "Repeats the id",
        "mimeType": "application/json",
    }])
}
