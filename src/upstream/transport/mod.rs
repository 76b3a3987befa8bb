//! The three ways to reach an upstream, and what they share.

pub(crate) mod event_stream;
pub(crate) mod exchange;
pub(crate) mod refusal_hint;
pub(crate) mod response_head;

pub(crate) mod body;
pub(crate) mod http;
pub(crate) mod http_sse;
mod refusal;
pub(crate) mod streamable_http;
pub(crate) mod streamable_http_legacy;

use std::sync::Arc;

use bytes::Bytes;

use super::error::TransportError;
use super::flow::deadline::Patience;
use super::request::Request;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};
use exchange::Exchange;

/// An upstream that answered the handshake.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Streamable HTTP, 2026-07-28.
    StreamableHttp(Box<streamable_http::StreamableHttp>),
    /// Streamable HTTP, 2025-03-26 to 2025-11-25.
    StreamableHttpLegacy(Arc<streamable_http_legacy::StreamableHttpLegacy>),
    /// HTTP+SSE, 2024-11-05.
    HttpSse(http_sse::HttpSse),
}

impl Transport {
    pub(crate) async fn send(&self, request: &Request) -> Result<Exchange, TransportError> {
        match self {
            Self::StreamableHttp(transport) => transport.send(request).await,
            Self::StreamableHttpLegacy(transport) => transport.send(request).await,
            Self::HttpSse(transport) => transport.send(request).await,
        }
    }

    /// How long it may be silent.
    pub(crate) fn patience(&self) -> Patience {
        match self {
            Self::StreamableHttp(transport) => transport.patience(),
            Self::StreamableHttpLegacy(transport) => transport.patience(),
            Self::HttpSse(transport) => transport.patience(),
        }
    }

    /// Sends a notification or a response.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        match self {
            Self::StreamableHttp(transport) => transport.notify(body).await,
            Self::StreamableHttpLegacy(transport) => transport.notify(body).await,
            Self::HttpSse(transport) => transport.notify(body).await,
        }
    }

    /// Tells the upstream that we leave.
    pub(crate) async fn close(&self) {
        if let Self::StreamableHttpLegacy(transport) = self {
            transport.close().await;
        }
    }
}

/// What a request of an upstream is answered with that is not for the client: `ping` with an empty
/// result, anything else with an error, since nothing that was declared allows it.
#[must_use]
pub fn answer_to(request: &Message) -> Bytes {
    let id = request.id().unwrap_or_else(|| Bytes::from_static(b"null"));
    let line = match &*request.method() {
        "ping" => Line::result(&id, &b"{}"[..]),
        method => {
            let text = format!("`{method}` was not declared by the client");
            Line::error(&id, code::METHOD_NOT_FOUND, &text, &serde_json::Value::Null)
        }
    };
    line.into_bytes()
}

/// The `message` of a JSON-RPC error, as an upstream sent it.
pub(crate) fn error_text(message: &Message) -> String {
    #[derive(serde::Deserialize)]
    struct Error {
        code: Option<i64>,
        message: Option<String>,
    }
    let error = message
        .error()
        .and_then(|error| serde_json::from_slice::<Error>(error).ok());
    match error {
        Some(Error {
            code: Some(code),
            message,
        }) => {
            format!("{} (error {code})", message.unwrap_or_default())
        }
        _ => "an error of unknown form".to_owned(),
    }
}
