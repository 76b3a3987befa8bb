//! `clock`, a server of the oldest kind: HTTP+SSE of 2024-11-05, which no SDK serves any more.
//!
//! A client opens the stream `GET /sse`. Its first event names the address for messages, and all
//! responses arrive on it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};

/// How many responses wait for a slow client before new ones are rejected.
const STREAM_BUFFER: usize = 64;

/// The stream of each client. std's Mutex: held for one map operation, never across an await.
type Streams = Arc<Mutex<HashMap<String, mpsc::Sender<Event>>>>;

/// The server's routes.
pub(crate) fn router() -> axum::Router {
    axum::Router::new()
        .route("/sse", get(open))
        .route("/message", post(receive))
        .layer(middleware::from_fn(refuse_browsers))
        .with_state(Streams::default())
}

/// A web page must not reach a server on this machine (§ Security Warning).
async fn refuse_browsers(request: Request, next: Next) -> Response {
    match request.headers().contains_key(header::ORIGIN) {
        true => StatusCode::FORBIDDEN.into_response(),
        false => next.run(request).await,
    }
}

async fn open(
    State(streams): State<Streams>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let session = format!("{:016x}", fastrand::u64(..));
    let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
    let endpoint = format!("/message?session={session}");
    let first = Event::default().event("endpoint").data(endpoint);
    let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
    streams.retain(|_, stream| !stream.is_closed());
    streams.insert(session, sender);
    let events = tokio_stream::once(first).chain(ReceiverStream::new(receiver));
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::default())
}

async fn receive(
    State(streams): State<Streams>,
    Query(query): Query<HashMap<String, String>>,
    Json(message): Json<Value>,
) -> StatusCode {
    let session = query.get("session").map_or("", String::as_str);
    let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stream) = streams.get(session) else {
        return StatusCode::NOT_FOUND;
    };
    if message["id"].is_null() {
        return StatusCode::ACCEPTED;
    }
    let mut response = answer(&message);
    response["jsonrpc"] = json!("2.0");
    response["id"] = message["id"].clone();
    let event = Event::default().event("message").data(response.to_string());
    match stream.try_send(event) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn answer(request: &Value) -> Value {
    let params = &request["params"];
    match request["method"].as_str() {
        Some("initialize") => json!({"result": {
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "clock", "version": "1.0.0"},
        }}),
        Some("ping") => json!({"result": {}}),
        Some("tools/list") => json!({"result": {"tools": [{
            "name": "now",
            "description": "The time of day",
            "inputSchema": {
                "type": "object",
                "properties": {"offset_hours": {
                    "type": "integer",
                    "description": "Hours ahead of UTC",
                }},
            },
        }]}}),
        Some("tools/call") if params["name"] == "now" => {
            let offset = params["arguments"]["offset_hours"].as_i64().unwrap_or(0);
            json!({"result": {"content": [{"type": "text", "text": now(offset)}]}})
        }
        Some("tools/call") => json!({"error": {"code": -32602, "message": "no such tool"}}),
        _ => json!({"error": {"code": -32601, "message": "method not found"}}),
    }
}

fn now(offset_hours: i64) -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |elapsed| elapsed.as_secs());
    let offset = offset_hours.clamp(-12, 14);
    let seconds = seconds.saturating_add_signed(offset * 3600) % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("it is {hours:02}:{minutes:02}:{seconds:02}, UTC{offset:+}")
}
