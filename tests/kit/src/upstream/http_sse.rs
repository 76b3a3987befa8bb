//! HTTP+SSE, 2024-11-05: one stream per client, `/sse`, carries all messages of the server.

use std::sync::Arc;

use super::answer::{answer, initialize};
use super::state::State;
use super::{Call, Reply, Request};
use crate::raw::event;

pub(super) async fn reply(state: &Arc<State>, request: Request) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match (request.method.as_str(), path) {
        ("GET", "/sse") => {
            let session = state.new_session();
            let endpoint = format!("event: endpoint\ndata: /message?sessionId={session}\n\n");
            let mut sessions = state.sessions.lock().unwrap();
            sessions.insert(session.clone(), String::new());
            state.open_stream(&session, None, Some(endpoint.into_bytes()))
        }
        ("POST", "/message") => {
            let session = query.strip_prefix("sessionId=").unwrap_or_default();
            let session = session.to_owned();
            message(state, request, &session)
        }
        (_, "/sse" | "/message") => Reply::status(405),
        _ => Reply::status(404),
    }
}

fn message(state: &Arc<State>, request: Request, session: &str) -> Reply {
    let Some(stream) = state.stream_of(session) else {
        return Reply::status(404).body("Session not found");
    };
    let method = request.rpc_method();
    match (request.id_bytes(), method.as_str()) {
        (None, _) | (Some(_), "") => state.keep(request),
        (Some(_), "initialize") => {
            let (message, _) = initialize(state, &request);
            stream.try_send(event(message).into()).ok();
        }
        (Some(_), _) => {
            // A request in progress does not keep the stream open.
            let stream = stream.downgrade();
            let call = Call {
                request,
                state: state.clone(),
                stream: Some(stream.clone()),
            };
            tokio::spawn(async move {
                let message = answer(call).await;
                if let Some(stream) = stream.upgrade() {
                    stream.send(event(message).into()).await.ok();
                }
            });
        }
    }
    Reply::status(202).body("Accepted")
}
