//! The prompts, and the completion of their arguments.

use rmcp::model::{CompleteResult, GetPromptRequestParams, GetPromptResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::answer::from_json;
use super::contents::PNG;
use super::rounds::{self, Round};

/// The completions of arguments.
const VALUES: [&str; 3] = ["paris", "park", "party"];

/// Gets a prompt.
///
/// # Errors
/// Invalid parameters, if no prompt has that name or an argument is missing.
pub(crate) fn get(
    request: &GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    let user = |content: Value| json!({"role": "user", "content": content});
    let text = |text: &str| user(json!({"type": "text", "text": text}));
    let messages = match request.name.as_str() {
        "test_simple_prompt" => json!([text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let (first, second) = (argument(request, "arg1")?, argument(request, "arg2")?);
            json!([text(&format!(
                "Prompt with arguments: arg1='{first}', arg2='{second}'"
            ))])
        }
        "test_prompt_with_embedded_resource" => {
            let resource = json!({
                "uri": argument(request, "resourceUri")?,
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            });
            json!([
                user(json!({"type": "resource", "resource": resource})),
                text("Please process the embedded resource above."),
            ])
        }
        "test_prompt_with_image" => json!([
            user(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            text("Please analyze the image above."),
        ]),
        "test_input_required_result_prompt" => {
            let round = Round::of_prompt(request, context);
            let Some(context) = round.accepted("user_context", "context") else {
                let request =
                    rounds::elicit("What context should the prompt use?", "context", "string");
                return round
                    .require_input(&[("user_context", request)], None)
                    .map(Into::into);
            };
            json!([text(&format!("Please go on, given that: {context}"))])
        }
        other => {
            let what = format!("Unknown prompt: {other}");
            return Err(ErrorData::invalid_params(what, None));
        }
    };
    let result = json!({"resultType": "complete", "messages": messages});
    from_json(result).map(GetPromptResponse::Complete)
}

fn argument<'a>(request: &'a GetPromptRequestParams, name: &str) -> Result<&'a str, ErrorData> {
    let value = request.arguments.as_ref().and_then(|all| all.get(name));
    let missing = || ErrorData::invalid_params(format!("Missing argument: {name}"), None);
    value.and_then(Value::as_str).ok_or_else(missing)
}

/// Completes the typed part of an argument.
pub(crate) fn complete(typed: &str) -> Result<CompleteResult, ErrorData> {
    let values: Vec<_> = VALUES
        .iter()
        .filter(|value| value.starts_with(typed))
        .collect();
    let completion = json!({"values": values, "total": values.len(), "hasMore": false});
    from_json(json!({"resultType": "complete", "completion": completion}))
}
