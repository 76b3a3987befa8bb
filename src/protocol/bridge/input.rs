//! Translates between server requests (legacy) and input requests, which a result carries
//! (MCP 2026-07-28 § Multi Round-Trip Requests). Pure.

use std::ops::Range;

use bytes::Bytes;
use serde_json::json;

use crate::wire::splice::decode;
use crate::wire::{Line, Member, Message, MessageKind, Splice, members};

/// The members of `params` that make a request the retry of an earlier one.
pub(crate) const RETRY_MEMBERS: [&str; 2] = ["inputResponses", "requestState"];

/// The error code of legacy servers for a URL that the user must visit first (MCP 2025-11-25 § Elicitation).
pub(crate) const URL_ELICITATION_REQUIRED: i64 = -32042;

/// The method of an elicitation.
pub(crate) const ELICITATION: &str = "elicitation/create";

/// The limit of pending input requests for one call. A user has to answer them.
pub(crate) const MAX_INPUT_REQUESTS: usize = 64;

/// The result of an elicitation that the user did not answer.
pub(crate) const CANCELLED_RESULT: &[u8] = br#"{"action":"cancel"}"#;

/// Whether the result of this method may carry input requests
/// (MCP 2026-07-28 § Multi Round-Trip Requests, Supported Requests). `tasks/result` may, since it
/// returns the result of such a method.
pub(crate) fn supports_input(method: &str) -> bool {
    matches!(
        method,
        "tools/call" | "prompts/get" | "resources/read" | "tasks/result"
    )
}

/// Whether a modern client's request is a retry with responses to input requests.
pub(crate) fn is_retry(request: &Message) -> bool {
    RETRY_MEMBERS
        .iter()
        .any(|member| request.param(member).is_some())
}

/// Whether a result carries input requests.
pub(crate) fn requires_input(response: &Message) -> bool {
    let kind = super::result_type(response).and_then(decode);
    kind.as_deref() == Some("input_required")
}

/// The input that a modern server requires to continue.
#[derive(Debug, Default)]
pub(crate) struct InputRequired {
    /// The input requests: each with its key as written, and without an id.
    pub(crate) input_requests: Vec<(Bytes, Message)>,
    /// The `requestState` as written.
    pub(crate) state: Option<Bytes>,
}

impl InputRequired {
    /// Reads a result that requires input.
    ///
    /// # Errors
    /// The fault of the result.
    pub(crate) fn read(response: &Message) -> Result<Self, String> {
        let whole = response.bytes();
        let mut required = Self::default();
        // Of equal keys the last one counts, as it does for most parsers.
        for member in members(response.result().unwrap_or_default()) {
            match &*member.key() {
                "requestState" => required.state = Some(whole.slice_ref(member.value())),
                "inputRequests" => required.input_requests = parse_input_requests(whole, &member)?,
                _ => {}
            }
        }
        match required.input_requests.is_empty() && required.state.is_none() {
            true => Err("the server requires input but sent no input request".to_owned()),
            false => Ok(required),
        }
    }

    /// The members of `params` for a retry with these responses, each a key and a value as written.
    pub(crate) fn retry_members(&self, answers: &[(Bytes, Bytes)]) -> String {
        let mut out = Vec::new();
        if !answers.is_empty() {
            out.extend_from_slice(b"\"inputResponses\":{");
            for (index, (key, answer)) in answers.iter().enumerate() {
                let comma: &[u8] = if index > 0 { b"," } else { b"" };
                for part in [comma, key, b":", answer] {
                    out.extend_from_slice(part);
                }
            }
            out.push(b'}');
        }
        if let Some(state) = &self.state {
            let comma: &[u8] = if out.is_empty() { b"" } else { b"," };
            for part in [comma, b"\"requestState\":", state] {
                out.extend_from_slice(part);
            }
        }
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Parses the member `inputRequests`.
fn parse_input_requests(
    whole: &Bytes,
    member: &Member<'_>,
) -> Result<Vec<(Bytes, Message)>, String> {
    if !matches!(member.value(), [b'{', ..] | b"null") {
        return Err("`inputRequests` is not an object".to_owned());
    }
    let mut input_requests: Vec<(Bytes, Message)> = Vec::new();
    for input_request in members(member.value()) {
        let request = Message::parse(whole.slice_ref(input_request.value()));
        let request = request.map_err(|e| format!("an input request is {e}"))?;
        if request.kind() == MessageKind::Response {
            return Err("an input request has no `method`".to_owned());
        }
        let key = whole.slice_ref(input_request.quoted_key());
        input_requests.retain(|(earlier, _)| decode(earlier) != decode(&key));
        input_requests.push((key, request));
        if input_requests.len() > MAX_INPUT_REQUESTS {
            return Err(format!(
                "the server sent more than {MAX_INPUT_REQUESTS} input requests at once"
            ));
        }
    }
    Ok(input_requests)
}

/// The decoded keys of a result's input requests.
pub(crate) fn input_request_keys(response: &Message) -> Vec<String> {
    members(response.result().unwrap_or_default())
        .filter(|member| member.key() == "inputRequests")
        .flat_map(|requests| members(requests.value()))
        .map(|input_request| input_request.key().into_owned())
        .collect()
}

/// Translates an input request to a server request for a legacy client, with this id (JSON). Adds the
/// `elicitationId` that legacy clients need for a URL elicitation.
pub(crate) fn to_server_request(input_request: &Message, id: &str) -> Bytes {
    let bytes = input_request.bytes();
    let mut splice = Splice::new(bytes);
    let envelope = |key: &str| matches!(key, "jsonrpc" | "id");
    splice.remove_members(0..bytes.len(), |member| envelope(&member.key()));
    let by_url = input_request
        .param("mode")
        .is_some_and(|mode| mode.value() == b"\"url\"");
    if let (true, true, None, Some(params)) = (
        input_request.method() == ELICITATION,
        by_url,
        input_request.param("elicitationId"),
        input_request.params_span(),
    ) {
        splice.add_members(params, format!("\"elicitationId\":{id}"));
    }
    let rest = splice.finish();
    let mut splice = Splice::new(&rest);
    splice.add_members(0..rest.len(), format!("\"jsonrpc\":\"2.0\",\"id\":{id}"));
    splice.finish().into()
}

/// Translates a legacy server request to an input request. Removes the envelope, and the
/// `elicitationId`, which the modern era does not have.
pub(crate) fn to_input_request(request: &Message) -> Vec<u8> {
    let bytes = request.bytes();
    let mut splice = Splice::new(bytes);
    let envelope = |key: &str| matches!(key, "jsonrpc" | "id");
    splice.remove_members(0..bytes.len(), |member| envelope(&member.key()));
    if let (true, Some(params)) = (request.method() == ELICITATION, request.params_span()) {
        remove_elicitation_id(&mut splice, params);
    }
    splice.finish()
}

fn remove_elicitation_id(splice: &mut Splice<'_>, params: Range<usize>) {
    splice.remove_members(params, |member| member.key() == "elicitationId");
}

/// The input requests for the URLs that an error of a legacy server names; empty for other errors.
pub(crate) fn url_input_requests(response: &Message) -> Vec<Vec<u8>> {
    let data = response.error().unwrap_or_default();
    let data = members(data).find(|member| member.key() == "data");
    let data = data.as_ref().map(Member::value).unwrap_or_default();
    let list = members(data).find(|member| member.key() == "elicitations");
    let list = list.as_ref().map(Member::value).unwrap_or_default();
    let list: Vec<&serde_json::value::RawValue> = serde_json::from_slice(list).unwrap_or_default();
    if list.iter().any(|params| !params.get().starts_with('{')) {
        return Vec::new();
    }
    let input_request = |params: &&serde_json::value::RawValue| {
        let params = params.get().as_bytes();
        let mut splice = Splice::new(params);
        remove_elicitation_id(&mut splice, 0..params.len());
        let head = format!("{{\"method\":\"{ELICITATION}\",\"params\":");
        [head.as_bytes(), &splice.finish(), b"}"].concat()
    };
    list.iter().map(input_request).collect()
}

/// The result that carries these input requests to a modern client, each a key and a request as written.
pub(crate) fn input_required_result<'a>(
    input_requests: impl Iterator<Item = (&'a str, &'a [u8])>,
    handle: &str,
) -> Bytes {
    let mut out = br#"{"resultType":"input_required","inputRequests":{"#.to_vec();
    for (index, (key, request)) in input_requests.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(json!(key).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(request);
    }
    out.extend_from_slice(format!("}},\"requestState\":{}}}", json!(handle)).as_bytes());
    out.into()
}

/// The response to a server request.
pub(crate) fn input_response(id: &[u8], result: Bytes) -> Bytes {
    Line::result(id, result).into_bytes()
}
