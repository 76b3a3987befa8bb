//! Streamable HTTP, 2025-03-26 to 2025-11-25 (§ Transports, Streamable HTTP).

use std::sync::Arc;

use super::answer::{error, initialize, reply_to};
use super::state::{State, stream_reply};
use super::{Reply, Request};

/// The first revision in which a client must send the negotiated revision.
const WITH_VERSION_HEADER: &str = "2025-06-18";

pub(super) async fn reply(state: &Arc<State>, request: Request) -> Reply {
    if request.path.split('?').next() != Some("/mcp") {
        return Reply::status(404);
    }
    match request.method.as_str() {
        "POST" => post(state, request).await,
        "GET" if state.script.server_stream => get(state, &request),
        "DELETE" => match session(state, &request) {
            Err(refusal) => refusal,
            Ok((session, _)) => {
                state.sessions.lock().unwrap().remove(&session);
                let streams = &state.streams;
                streams.send_modify(|streams| streams.retain(|s| s.session != session));
                Reply::status(200)
            }
        },
        _ => Reply::status(405),
    }
}

async fn post(state: &Arc<State>, request: Request) -> Reply {
    if let Err(refusal) = acceptable(&request) {
        return refusal;
    }
    let method = request.rpc_method();
    if method == "initialize" && request.header("mcp-session-id").is_none() {
        let (message, version) = initialize(state, &request);
        let id = state.new_session();
        let mut sessions = state.sessions.lock().unwrap();
        sessions.insert(id.clone(), version);
        return one_message(state, message).header("mcp-session-id", &id);
    }
    if let Err(refusal) = session(state, &request) {
        return refusal;
    }
    if method.is_empty() || request.id_bytes().is_none() {
        state.keep(request);
        return Reply::status(202);
    }
    reply_to(state, request).await
}

fn one_message(state: &State, message: Vec<u8>) -> Reply {
    match state.script.sse_replies {
        true => stream_reply(|_| std::future::ready(message)),
        false => Reply::json(message),
    }
}

fn get(state: &State, request: &Request) -> Reply {
    if !accepts(request, "text/event-stream") {
        return refusal(406, "Not Acceptable: Client must accept text/event-stream");
    }
    match session(state, request) {
        Err(refusal) => refusal,
        Ok((session, _)) => state.open_stream(&session, None, None),
    }
}

/// Rejects a POST that is invalid in these revisions.
pub(super) fn acceptable(request: &Request) -> Result<(), Reply> {
    let content = request.header("content-type").unwrap_or_default();
    if content.split(';').next() != Some("application/json") {
        return Err(refusal(415, "Unsupported Media Type"));
    }
    if !accepts(request, "application/json") || !accepts(request, "text/event-stream") {
        return Err(refusal(406, "Not Acceptable"));
    }
    Ok(())
}

fn accepts(request: &Request, media_type: &str) -> bool {
    let accept = request.header("accept").unwrap_or_default();
    let mut types = accept.split(',').map(str::trim);
    types.any(|accepted| accepted.split(';').next() == Some(media_type))
}

/// Returns the session of a request and its revision, or the rejection.
fn session(state: &State, request: &Request) -> Result<(String, String), Reply> {
    let Some(id) = request.header("mcp-session-id") else {
        return Err(refusal(400, "Bad Request: No valid session ID provided"));
    };
    let sessions = state.sessions.lock().unwrap();
    let Some(version) = sessions.get(id) else {
        return Err(refusal(404, "Session not found"));
    };
    let sent = request.header("mcp-protocol-version");
    let needed = version.as_str() >= WITH_VERSION_HEADER;
    if sent.map_or(needed, |sent| sent != version) {
        let message = format!("Bad Request: protocol version {sent:?}, negotiated {version}");
        return Err(refusal(400, &message));
    }
    Ok((id.to_owned(), version.clone()))
}

/// Returns an error as legacy servers send it: without an id, and with a code that MCP does not define.
fn refusal(status: u16, message: &str) -> Reply {
    let no_request = Request {
        method: String::new(),
        path: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let code = if status == 404 { -32001 } else { -32000 };
    Reply::json(error(&no_request, code, message)).with_status(status)
}
