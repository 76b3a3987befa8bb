//! A server's responses to JSON-RPC requests, on any transport.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::state::{State, stream_reply};
use super::{Call, Kind, Reply, Request};

/// The members of `params` that a server reads in calls and listings.
#[derive(Deserialize)]
struct Params<'a> {
    cursor: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Returns a complete response with this result.
pub(super) fn result(request: &Request, result: &str) -> Vec<u8> {
    let id = id_of(request);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

/// Returns a complete response with this error.
pub(super) fn error(request: &Request, code: i32, message: &str) -> Vec<u8> {
    let error = json!({"code": code, "message": message});
    let id = id_of(request);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

fn id_of(request: &Request) -> String {
    let id = request.id_bytes();
    id.map_or_else(
        || "null".to_owned(),
        |id| String::from_utf8_lossy(&id).into_owned(),
    )
}

/// Returns `true` if the server has the method, and so does not answer -32601.
pub(super) fn knows(state: &State, method: &str) -> bool {
    let handshake = match state.script.kind {
        Kind::Modern => ["server/discover", "subscriptions/listen", "tools/list"],
        Kind::Legacy | Kind::HttpSse => ["initialize", "ping", "tools/list"],
    };
    method == "tools/call"
        || handshake.contains(&method)
        || state.script.answers.contains_key(method)
        || state.script.in_steps.contains_key(method)
        || listed_by(method).is_some_and(|member| state.script.offers.contains_key(member))
}

/// Answers a request in JSON or on an event stream.
///
/// It is an event stream if the script requires one or sends messages before the response.
pub(super) async fn reply_to(state: &Arc<State>, request: Request) -> Reply {
    let in_steps = state.script.in_steps.contains_key(&request.rpc_method());
    let mut call = Call {
        request,
        state: state.clone(),
        stream: None,
    };
    if state.script.sse_replies || in_steps {
        return stream_reply(|stream| {
            call.stream = Some(stream.downgrade());
            answer(call)
        });
    }
    Reply::json(answer(call).await)
}

/// Answers any request except a handshake.
pub(super) async fn answer(call: Call) -> Vec<u8> {
    let (state, request) = (call.state.clone(), call.request.clone());
    let method = request.rpc_method();
    if let Some(sent) = state.script.answers.get(&method) {
        return whole(&request, sent(&request));
    }
    let in_steps = state.script.in_steps.get(&method);
    if let Some(in_steps) = in_steps.filter(|_| method != "tools/call") {
        return whole(&request, in_steps(call).await);
    }
    if let Some(member) = listed_by(&method).filter(|_| knows(&state, &method)) {
        let offers = state.offers.lock().unwrap();
        return list(&state, &request, member, &offers[member]);
    }
    match method.as_str() {
        "tools/list" => list(&state, &request, "tools", &state.tools.lock().unwrap()),
        "tools/call" => {
            let name = request.tool();
            if !state.has_tool(&name) {
                return error(&request, -32602, &format!("Unknown tool: {name}"));
            }
            let body = request.body.clone();
            state.calls.send_modify(|calls| calls.push(body));
            let answer = match (&state.script.on_call, in_steps) {
                (_, Some(in_steps)) => in_steps(call).await,
                (Some(at_once), None) => at_once(&request),
                (None, None) => echo(&state, &request),
            };
            whole(&request, answer)
        }
        "ping" if state.script.kind != Kind::Modern => result(&request, "{}"),
        _ => error(&request, -32601, "Method not found"),
    }
}

/// Returns the member that contains the list of this method, except for tools.
fn listed_by(method: &str) -> Option<&'static str> {
    match method {
        "prompts/list" => Some("prompts"),
        "resources/list" => Some("resources"),
        "resources/templates/list" => Some("resourceTemplates"),
        _ => None,
    }
}

/// Returns a response from a result or from a whole message.
fn whole(request: &Request, answer: Vec<u8>) -> Vec<u8> {
    match answer.starts_with(br#"{"jsonrpc""#) {
        true => answer,
        false => result(request, std::str::from_utf8(&answer).unwrap()),
    }
}

/// Returns the response to `initialize`, and the revision in it.
pub(super) fn initialize(state: &State, request: &Request) -> (Vec<u8>, String) {
    let asked = request.json()["params"]["protocolVersion"].take();
    let versions = &state.script.versions;
    let version = versions.iter().find(|version| asked == **version);
    let version = version.unwrap_or(&versions[0]).clone();
    let capabilities: Value = serde_json::from_str(&state.script.capabilities).unwrap();
    let mut answer = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": {"name": "scripted", "version": "1.0.0"},
    });
    if let Some(instructions) = &state.script.instructions {
        answer["instructions"] = json!(instructions);
    }
    (result(request, &answer.to_string()), version)
}

fn list(state: &State, request: &Request, member: &str, items: &[String]) -> Vec<u8> {
    let params = params_of(request);
    let cursor = params.and_then(|params| params.cursor);
    let start = match cursor.map(|cursor| cursor.strip_prefix("from ").map(str::parse)) {
        None => 0,
        Some(Some(Ok(start))) => start,
        Some(_) => return error(request, -32602, "Invalid cursor"),
    };
    let end = items
        .len()
        .min(usize::saturating_add(start, state.script.page_size));
    let page = items.get(start..end).unwrap_or_default().join(",");
    let next = match end < items.len() {
        true => format!(r#","nextCursor":"from {end}""#),
        false => String::new(),
    };
    let hints = match state.script.kind {
        Kind::Modern => r#","resultType":"complete","ttlMs":0,"cacheScope":"private""#,
        Kind::Legacy | Kind::HttpSse => "",
    };
    result(request, &format!(r#"{{"{member}":[{page}]{next}{hints}}}"#))
}

/// Returns the tool's name and the bytes of the arguments as a result.
fn echo(state: &State, request: &Request) -> Vec<u8> {
    let arguments = params_of(request).and_then(|params| params.arguments);
    let arguments = arguments.map_or("without arguments", RawValue::get);
    let text = json!(format!("{} {arguments}", request.tool()));
    let kind = match state.script.kind {
        Kind::Modern => r#","resultType":"complete""#,
        Kind::Legacy | Kind::HttpSse => "",
    };
    format!(r#"{{"content":[{{"type":"text","text":{text}}}]{kind}}}"#).into_bytes()
}

fn params_of(request: &Request) -> Option<Params<'_>> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        params: Option<Params<'a>>,
    }
    serde_json::from_slice::<Message>(&request.body)
        .ok()?
        .params
}

impl State {
    /// Returns the definition of the tool `name`.
    pub(super) fn tool(&self, name: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Tool {
            name: String,
        }
        let tools = self.tools.lock().unwrap();
        let mut tools = tools.iter();
        tools
            .find(|tool| serde_json::from_str::<Tool>(tool).is_ok_and(|tool| tool.name == name))
            .cloned()
    }

    fn has_tool(&self, name: &str) -> bool {
        self.tool(name).is_some()
    }
}
