//! The tools.

// Logging is deprecated. It is used because the revisions with it are still in use.
#![allow(deprecated)]

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, LoggingLevel,
    LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::answer::{content, failure, text};
use super::contents::{PNG, WAV};
use super::handler::Everything;
use super::rounds::Round;
use super::{input_required, legacy_input, stream};

/// The pause between two messages of a tool, as the suite requires.
const STEP: Duration = Duration::from_millis(50);

/// The maximum number of rounds of a call.
const ROUNDS: usize = 5;

type Context = RequestContext<RoleServer>;

/// Calls a tool.
///
/// # Errors
/// Invalid parameters, if no tool has that name.
pub(crate) async fn call(
    server: &Everything,
    mut call: CallToolRequestParams,
    context: Context,
) -> Result<CallToolResponse, ErrorData> {
    if let Some(answer) = call_requiring_input(&mut call, &context).await {
        return answer;
    }
    let answer = match fixed_content(&call.name) {
        Some(blocks) => content(&blocks),
        None => done(server, &call, &context).await,
    };
    answer.map(CallToolResult::into)
}

/// Calls a tool that requires input; returns `None` for other tools.
///
/// A client of 2026-07-28 calls again with its responses. An older client gets server requests during
/// the call.
async fn call_requiring_input(
    call: &mut CallToolRequestParams,
    context: &Context,
) -> Option<Result<CallToolResponse, ErrorData>> {
    for _ in 0..ROUNDS {
        let answer = input_required::call(&call.name, &Round::of_tool(call, context))?;
        let required = match answer {
            Ok(CallToolResponse::InputRequired(required)) if is_legacy(context) => required,
            answer => return Some(answer),
        };
        let requests = required.input_requests.unwrap_or_default();
        match legacy_input::all(&context.peer, requests).await {
            Ok(responses) => call.input_responses = Some(responses),
            Err(error) => return Some(failure(&error.message).map(Into::into)),
        }
        call.request_state = required.request_state;
    }
    Some(failure("Asked in vain").map(Into::into))
}

fn is_legacy(context: &Context) -> bool {
    context.protocol_version() < Some(ProtocolVersion::V_2026_07_28)
}

/// Returns the content of a tool whose result is always the same.
fn fixed_content(name: &str) -> Option<Value> {
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, mime_type: &str, text: &str| {
        let resource = json!({"uri": uri, "mimeType": mime_type, "text": text});
        json!({"type": "resource", "resource": resource})
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    let json = r#"{"test":"data","value":123}"#;
    let embedded = "This is an embedded resource content.";
    Some(match name {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => {
            json!([resource("test://embedded-resource", "text/plain", embedded)])
        }
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"),
            image,
            resource("test://mixed-content-resource", "application/json", json),
        ]),
        _ => return None,
    })
}

async fn done(
    server: &Everything,
    call: &CallToolRequestParams,
    context: &Context,
) -> Result<CallToolResult, ErrorData> {
    let client = &context.peer;
    let argument = |name: &str| -> &str {
        let value = call.arguments.as_ref().and_then(|all| all.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    match call.name.as_ref() {
        "test_error_handling" => failure("This tool intentionally returns an error for testing"),
        "test_tool_with_logging" => {
            let steps = ["started", "processing data", "completed"];
            log(
                server,
                context,
                &steps.map(|step| format!("Tool execution {step}")),
            )
            .await
        }
        "test_logging_tool" => log(server, context, &["Tool called".to_owned()]).await,
        "test_tool_with_progress" => report(context).await,
        "test_reconnection" => {
            stream::close(&server.sessions, context).await;
            tokio::time::sleep(stream::HELD).await;
            text("Said on another stream")
        }
        "test_trigger_tool_change" => {
            server.changes.send_modify(|counts| counts.tools += 1);
            // In 2026-07-28 only `subscriptions/listen` streams get notifications.
            if is_legacy(context) {
                client.notify_tool_list_changed().await.ok();
            }
            text("The tools changed")
        }
        "test_trigger_prompt_change" => {
            server.changes.send_modify(|counts| counts.prompts += 1);
            if is_legacy(context) {
                client.notify_prompt_list_changed().await.ok();
            }
            text("The prompts changed")
        }
        "test_trigger_resource_change" => {
            server.changes.send_modify(|counts| counts.watched += 1);
            text("The watched resource changed")
        }
        "test_unending_call" => {
            server.changes.send_modify(|counts| counts.unending += 1);
            context.ct.cancelled().await;
            server.changes.send_modify(|counts| counts.cancelled += 1);
            failure("Cancelled")
        }
        "test_custom_header" => text(argument("region")),
        "json_schema_2020_12_tool" => text(argument("name")),
        other => {
            let what = format!("Unknown tool: {other}");
            Err(ErrorData::invalid_params(what, None))
        }
    }
}

/// Logs each message, if the client's log level allows it.
async fn log(
    server: &Everything,
    context: &Context,
    messages: &[String],
) -> Result<CallToolResult, ErrorData> {
    let level = server.log_level(context);
    for message in messages {
        if level.is_some_and(|lowest| lowest as u8 <= LoggingLevel::Info as u8) {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message));
            context.peer.notify_logging_message(message).await.ok();
        }
        tokio::time::sleep(STEP).await;
    }
    text("Logged")
}

/// Reports progress, if the client sent a progress token.
async fn report(context: &Context) -> Result<CallToolResult, ErrorData> {
    for progress in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, progress).with_total(100.0);
            context.peer.notify_progress(progress).await.ok();
        }
        tokio::time::sleep(STEP).await;
    }
    text("Reported")
}
