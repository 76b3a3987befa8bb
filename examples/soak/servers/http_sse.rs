//! HTTP+SSE of 2024-11-05, which no SDK serves any more.
//!
//! `GET /sse` is the stream of all responses. It also names the address for messages.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};

use super::tools::{Running, definitions};
use crate::calls::CallLedger;
use crate::lock;

type Sender = mpsc::UnboundedSender<Event>;

/// The stream of each client. std's Mutex: held for one map operation, never across an await.
pub(super) type Streams = Arc<Mutex<HashMap<String, Sender>>>;

#[derive(Clone)]
struct Server {
    streams: Streams,
    ledger: Arc<CallLedger>,
}

pub(super) fn router(streams: &Streams, ledger: &Arc<CallLedger>) -> axum::Router {
    let server = Server {
        streams: streams.clone(),
        ledger: ledger.clone(),
    };
    axum::Router::new()
        .route("/sse", get(open))
        .route("/message", post(receive))
        .with_state(server)
}

async fn open(State(server): State<Server>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let session = format!("{:016x}", fastrand::u64(..));
    let (sender, receiver) = mpsc::unbounded_channel();
    let endpoint = format!("/message?session={session}");
    let first = Event::default().event("endpoint").data(endpoint);
    let mut streams = lock(&server.streams);
    streams.retain(|_, stream| !stream.is_closed());
    streams.insert(session, sender);
    let events = tokio_stream::once(first).chain(UnboundedReceiverStream::new(receiver));
    Sse::new(events.map(Ok))
}

async fn receive(
    State(server): State<Server>,
    Query(query): Query<HashMap<String, String>>,
    Json(message): Json<Value>,
) -> StatusCode {
    let session = query.get("session").map_or("", String::as_str);
    let Some(stream) = lock(&server.streams).get(session).cloned() else {
        return StatusCode::NOT_FOUND;
    };
    let id = message["id"].clone();
    if id.is_null() || message["method"].is_null() {
        return StatusCode::ACCEPTED;
    }
    // A call in flight does not keep the stream open.
    let stream = stream.downgrade();
    let say = move |mut said: Value| {
        said["jsonrpc"] = json!("2.0");
        let event = Event::default().event("message").data(said.to_string());
        if let Some(stream) = stream.upgrade() {
            // Fails only if the client has disconnected.
            stream.send(event).ok();
        }
    };
    match message["method"].as_str() {
        Some("tools/call") => {
            let params = message["params"].clone();
            tokio::spawn(async move { call(&server.ledger, &params, id, say).await });
        }
        Some(method) => {
            let mut answer = answer(method);
            answer["id"] = id;
            say(answer);
        }
        None => {}
    }
    StatusCode::ACCEPTED
}

async fn call(ledger: &CallLedger, params: &Value, id: Value, say: impl Fn(Value)) {
    let no_arguments = Map::new();
    let arguments = params["arguments"].as_object().unwrap_or(&no_arguments);
    let Some(mut running) = Running::begin(arguments, ledger) else {
        let error = json!({"code": -32602, "message": "no number"});
        return say(json!({"id": id, "error": error}));
    };
    let token = &params["_meta"]["progressToken"];
    while let Some(done) = running.step().await {
        if !token.is_null() {
            let params = json!({"progressToken": token, "progress": done});
            say(json!({"method": "notifications/progress", "params": params}));
        }
    }
    say(json!({"id": id, "result": running.result()}));
}

fn answer(method: &str) -> Value {
    match method {
        "initialize" => json!({"result": {
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "soak", "version": "1.0.0"},
        }}),
        "ping" => json!({"result": {}}),
        "tools/list" => json!({"result": definitions()}),
        _ => json!({"error": {"code": -32601, "message": "method not found"}}),
    }
}
