//! Tools that require input from the client.

use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CallToolResult};
use serde_json::{Value, json};

use super::answer::text;
use super::forms;
use super::rounds::{Round, elicit, form, roots, sample};

/// Runs one round of the tool; returns `None` for other tools.
pub(crate) fn call(name: &str, round: &Round) -> Option<Result<CallToolResponse, ErrorData>> {
    Some(match name {
        "test_sampling" => sampled(round),
        "test_elicitation" => {
            let message = round.argument("message");
            filled_in(round, form(message, &forms::user(), &["username", "email"]))
        }
        "test_elicitation_sep1034_defaults" => {
            filled_in(round, form("Please review", &forms::defaults(), &[]))
        }
        "test_elicitation_sep1330_enums" => {
            filled_in(round, form("Please choose", &forms::choices(), &[]))
        }
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => name_of(round),
        "test_input_required_result_sampling" | "test_missing_capability" => capital(round),
        "test_input_required_result_list_roots" => roots_of(round),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => confirmed(round),
        "test_input_required_result_multiple_inputs" => three_at_once(round),
        "test_input_required_result_multi_round" => two_in_turn(round),
        "test_input_required_result_capabilities" => possible(round),
        _ => return None,
    })
}

fn done(said: &str) -> Result<CallToolResponse, ErrorData> {
    text(said).map(CallToolResult::into)
}

fn sampled(round: &Round) -> Result<CallToolResponse, ErrorData> {
    match round.response("answer", "content") {
        Some(content) => done(&format!("LLM response: {content}")),
        None => {
            let question = sample(round.argument("prompt"));
            round
                .require_input(&[("answer", question)], None)
                .map(Into::into)
        }
    }
}

fn filled_in(round: &Round, form: Value) -> Result<CallToolResponse, ErrorData> {
    let Some(action) = round.response("form", "action").and_then(Value::as_str) else {
        return round.require_input(&[("form", form)], None).map(Into::into);
    };
    let content = round.response("form", "content").unwrap_or(&Value::Null);
    done(&format!(
        "Elicitation completed: action={action}, content={content}"
    ))
}

fn ask_name() -> (&'static str, Value) {
    ("user_name", elicit("What is your name?", "name", "string"))
}

fn name_of(round: &Round) -> Result<CallToolResponse, ErrorData> {
    match round.accepted("user_name", "name").and_then(Value::as_str) {
        Some(name) => done(&format!("Hello, {name}!")),
        None => round.require_input(&[ask_name()], None).map(Into::into),
    }
}

fn capital(round: &Round) -> Result<CallToolResponse, ErrorData> {
    match round.response("capital_question", "content") {
        Some(content) => done(&format!("The model said: {content}")),
        None => {
            let question = sample("What is the capital of France?");
            round
                .require_input(&[("capital_question", question)], None)
                .map(Into::into)
        }
    }
}

fn roots_of(round: &Round) -> Result<CallToolResponse, ErrorData> {
    match round.response("client_roots", "roots") {
        Some(roots) => done(&format!("The roots are: {roots}")),
        None => round
            .require_input(&[("client_roots", roots())], None)
            .map(Into::into),
    }
}

fn confirmed(round: &Round) -> Result<CallToolResponse, ErrorData> {
    let asked = round.state()? == Some("asked");
    if asked && round.accepted("confirm", "ok") == Some(&json!(true)) {
        return done("state-ok");
    }
    let confirm = elicit("Please confirm", "ok", "boolean");
    round
        .require_input(&[("confirm", confirm)], Some("asked"))
        .map(Into::into)
}

fn three_at_once(round: &Round) -> Result<CallToolResponse, ErrorData> {
    let asked = round.state()? == Some("asked");
    let name = round.accepted("user_name", "name");
    let greeting = round.response("greeting", "content");
    let given = round.response("client_roots", "roots");
    if let (true, Some(name), Some(greeting), Some(given)) = (asked, name, greeting, given) {
        return done(&format!("{greeting} for {name}, in {given}"));
    }
    let requests = [
        ask_name(),
        ("greeting", sample("Generate a greeting")),
        ("client_roots", roots()),
    ];
    round
        .require_input(&requests, Some("asked"))
        .map(Into::into)
}

fn two_in_turn(round: &Round) -> Result<CallToolResponse, ErrorData> {
    // The state contains the number of the step, and the name from step 1.
    let state = round.state()?;
    let named = state.and_then(|state| state.strip_prefix("2:"));
    let name = round.accepted("step1", "name").and_then(Value::as_str);
    let colour = round.accepted("step2", "color").and_then(Value::as_str);
    match (named, name, colour) {
        (Some(name), _, Some(colour)) => done(&format!("{name} likes {colour}")),
        (Some(name), ..) => step_two(round, name),
        (None, Some(name), _) if state == Some("1") => step_two(round, name),
        (None, ..) => {
            let first = elicit("Step 1: What is your name?", "name", "string");
            round
                .require_input(&[("step1", first)], Some("1"))
                .map(Into::into)
        }
    }
}

fn step_two(round: &Round, name: &str) -> Result<CallToolResponse, ErrorData> {
    let second = elicit("Step 2: What is your favorite color?", "color", "string");
    let state = format!("2:{name}");
    round
        .require_input(&[("step2", second)], Some(&state))
        .map(Into::into)
}

fn possible(round: &Round) -> Result<CallToolResponse, ErrorData> {
    let greeting = ("greeting", sample("Generate a greeting"));
    let requests = vec![ask_name(), greeting, ("client_roots", roots())];
    round.require_supported_input(requests).map(Into::into)
}
