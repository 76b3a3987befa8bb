//! The requests that a server of 2026-07-28 must reject (§ Streamable HTTP, Request Metadata and Server
//! Validation; § Base Protocol, Per-request protocol fields).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Request;
use super::state::State;

/// Why a request is rejected.
pub(super) enum Fault {
    /// -32020, with the mismatch.
    Header(String),
    /// -32602, with the missing member of `_meta`.
    Meta(String),
    /// -32022, with the requested revision.
    Version(String),
}

#[derive(Deserialize)]
struct Message<'a> {
    method: String,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Params<'a>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    name: Option<String>,
    uri: Option<String>,
    #[serde(rename = "taskId")]
    task_id: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(rename = "_meta", default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<String>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<serde_json::Map<String, Value>>,
}

pub(super) fn check(state: &State, request: &Request) -> Result<(), Fault> {
    let message: Message = serde_json::from_slice(&request.body)
        .map_err(|error| Fault::Meta(format!("{error} in {}", request.text())))?;
    // This revision does not define headers of notifications.
    if message.id.is_none() {
        return Ok(());
    }
    let params = message.params;
    let sent = header(request, "mcp-protocol-version")?;
    let sent = sent.ok_or_else(|| Fault::Header("MCP-Protocol-Version is missing".to_owned()))?;
    let missing = |key| Fault::Meta(format!("_meta lacks io.modelcontextprotocol/{key}"));
    let version = params
        .meta
        .version
        .ok_or_else(|| missing("protocolVersion"))?;
    if params.meta.capabilities.is_none() {
        return Err(missing("clientCapabilities"));
    }
    equal("MCP-Protocol-Version", Some(&sent), Some(&version))?;
    if !state.script.versions.contains(&version) {
        return Err(Fault::Version(version));
    }
    let method = header(request, "mcp-method")?;
    equal("Mcp-Method", method.as_deref(), Some(&message.method))?;
    let source = match message.method.as_str() {
        "tools/call" | "prompts/get" => params.name.as_deref(),
        "resources/read" => params.uri.as_deref(),
        // SEP-2663 § Streamable HTTP: Routing Headers.
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.task_id.as_deref(),
        _ => return Ok(()),
    };
    let name = header(request, "mcp-name")?;
    equal("Mcp-Name", decoded(name)?.as_deref(), source)?;
    if message.method != "tools/call" {
        return Ok(());
    }
    match state.tool(source.unwrap_or_default()) {
        Some(tool) => check_parameters(request, &tool, params.arguments),
        None => Ok(()),
    }
}

/// Compares each `Mcp-Param-*` header with its argument in the tool's schema.
fn check_parameters(
    request: &Request,
    tool: &str,
    arguments: Option<&RawValue>,
) -> Result<(), Fault> {
    if !tool.contains("x-mcp-header") {
        return Ok(());
    }
    let tool: Value = serde_json::from_str(tool).unwrap();
    let arguments = arguments.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()));
    let arguments = arguments.map_err(|error| Fault::Meta(error.to_string()))?;
    check_properties(request, &tool["inputSchema"], &arguments)
}

fn check_properties(request: &Request, schema: &Value, value: &Value) -> Result<(), Fault> {
    let Some(properties) = schema["properties"].as_object() else {
        return Ok(());
    };
    for (key, schema) in properties {
        let value = &value[key];
        if let Some(name) = schema["x-mcp-header"].as_str() {
            let name = format!("mcp-param-{}", name.to_ascii_lowercase());
            let sent = decoded(header(request, &name)?)?;
            let number = |text: &Option<String>| text.as_ref()?.parse::<f64>().ok();
            match value {
                Value::Null => equal(&name, sent.as_deref(), None)?,
                Value::String(text) => equal(&name, sent.as_deref(), Some(text))?,
                // Numbers are compared as numbers: `42.0` and `42` are equal.
                Value::Number(value) if number(&sent) == value.as_f64() => {}
                other => equal(&name, sent.as_deref(), Some(&other.to_string()))?,
            }
        }
        check_properties(request, schema, value)?;
    }
    Ok(())
}

fn equal(name: &str, header: Option<&str>, body: Option<&str>) -> Result<(), Fault> {
    if header == body {
        return Ok(());
    }
    let what = format!("{name} header value {header:?} does not match body value {body:?}");
    Err(Fault::Header(what))
}

/// Returns the only header of that name, if its value is valid.
fn header(request: &Request, name: &str) -> Result<Option<String>, Fault> {
    let mut values = request.headers.iter().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.clone());
    let clean = |value: &String| value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    if values.next().is_some() || !value.as_ref().is_none_or(clean) {
        return Err(Fault::Header(format!("{name} is repeated or malformed")));
    }
    Ok(value)
}

/// Decodes values that are not valid header values (§ Value Encoding).
fn decoded(value: Option<String>) -> Result<Option<String>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let Some(code) = value.strip_prefix("=?base64?") else {
        return Ok(Some(value));
    };
    let Some(code) = code.strip_suffix("?=") else {
        return Ok(Some(value));
    };
    let bytes = BASE64_STANDARD.decode(code).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let broken = || Fault::Header(format!("{value} is not Base64 of UTF-8"));
    text.ok_or_else(broken).map(Some)
}
