//! Requests that require input from the client (2026-07-28, § Multi Round-Trip Requests).
//!
//! A round requires only input that the client has declared, and trusts only state that this server
//! has signed.

// Sampling and roots are deprecated. They are used because the revision still has them.
#![allow(deprecated)]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, GetPromptRequestParams, InputRequiredResult,
    InputResponses, JsonObject,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use super::answer::from_json;

/// The key that signs states. States are valid only in this process.
static KEY: LazyLock<Option<hmac::Key>> =
    LazyLock::new(|| hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok());

/// One round of a request, with the responses and the state that the client sent.
pub(crate) struct Round<'a> {
    arguments: Option<&'a JsonObject>,
    responses: Option<&'a InputResponses>,
    state: Option<&'a str>,
    declared: ClientCapabilities,
}

impl<'a> Round<'a> {
    pub(crate) fn of_tool(
        call: &'a CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Self {
        Self {
            arguments: call.arguments.as_ref(),
            responses: call.input_responses.as_ref(),
            state: call.request_state.as_deref(),
            declared: context.client_capabilities().unwrap_or_default(),
        }
    }

    pub(crate) fn of_prompt(
        request: &'a GetPromptRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Self {
        Self {
            arguments: request.arguments.as_ref(),
            responses: request.input_responses.as_ref(),
            state: request.request_state.as_deref(),
            declared: context.client_capabilities().unwrap_or_default(),
        }
    }

    /// Returns a text argument, or an empty text.
    pub(crate) fn argument(&self, name: &str) -> &'a str {
        let value = self.arguments.and_then(|all| all.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns this member of the response to the input request `key`.
    pub(crate) fn response(&self, key: &str, member: &str) -> Option<&'a Value> {
        self.responses?.get(key)?.get(member)
    }

    /// Returns the value of `property` in an accepted elicitation.
    pub(crate) fn accepted(&self, key: &str, property: &str) -> Option<&'a Value> {
        self.response(key, "action")
            .filter(|action| *action == "accept")?;
        self.response(key, "content")?.get(property)
    }

    /// Returns the state that this server sent in the previous round.
    ///
    /// # Errors
    /// Invalid parameters, if the state was changed.
    pub(crate) fn state(&self) -> Result<Option<&'a str>, ErrorData> {
        let Some(state) = self.state else {
            return Ok(None);
        };
        let changed = || ErrorData::invalid_params("requestState was changed", None);
        let (said, _) = state.rsplit_once('.').ok_or_else(changed)?;
        (sign(said)? == state)
            .then_some(Some(said))
            .ok_or_else(changed)
    }

    /// Requires responses to all these input requests.
    ///
    /// # Errors
    /// The missing capabilities, if the client has not declared all that are necessary.
    pub(crate) fn require_input(
        &self,
        requests: &[(&str, Value)],
        state: Option<&str>,
    ) -> Result<InputRequiredResult, ErrorData> {
        let missing = requests.iter().filter(|(_, request)| !self.can(request));
        let missing =
            missing.filter_map(|(_, request)| Some((capability(request)?.to_owned(), json!({}))));
        let missing: Map<_, _> = missing.collect();
        if !missing.is_empty() {
            let missing = from_json(Value::Object(missing))?;
            return Err(ErrorData::missing_required_client_capability(missing));
        }
        let requests: Map<_, _> = requests
            .iter()
            .map(|(key, request)| ((*key).to_owned(), request.clone()))
            .collect();
        let state = state.map(sign).transpose()?;
        Ok(InputRequiredResult::new(
            Some(from_json(Value::Object(requests))?),
            state,
        ))
    }

    /// Requires responses to those input requests that the client supports.
    pub(crate) fn require_supported_input(
        &self,
        mut requests: Vec<(&str, Value)>,
    ) -> Result<InputRequiredResult, ErrorData> {
        requests.retain(|(_, request)| self.can(request));
        self.require_input(&requests, None)
    }

    fn can(&self, request: &Value) -> bool {
        match capability(request) {
            Some("elicitation") => self.declared.elicitation.is_some(),
            Some("sampling") => self.declared.sampling.is_some(),
            Some("roots") => self.declared.roots.is_some(),
            _ => false,
        }
    }
}

/// Returns the capability for an input request: the first part of its method.
fn capability(request: &Value) -> Option<&str> {
    let (capability, _) = request["method"].as_str()?.split_once('/')?;
    Some(capability)
}

fn sign(said: &str) -> Result<String, ErrorData> {
    let no_key = || ErrorData::internal_error("no key to sign with", None);
    let tag = hmac::sign(KEY.as_ref().ok_or_else(no_key)?, said.as_bytes());
    Ok(format!("{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)))
}

/// Returns an elicitation of one property.
pub(crate) fn elicit(message: &str, property: &str, kind: &str) -> Value {
    form(message, &json!({property: {"type": kind}}), &[property])
}

/// Returns an elicitation of these properties.
pub(crate) fn form(message: &str, properties: &Value, required: &[&str]) -> Value {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
    json!({"method": "elicitation/create", "params": params})
}

/// Returns a sampling request.
pub(crate) fn sample(prompt: &str) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    let params = json!({"messages": [message], "maxTokens": 100});
    json!({"method": "sampling/createMessage", "params": params})
}

/// Returns a request for the client's roots.
pub(crate) fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
