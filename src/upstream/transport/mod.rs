//! The transports to an upstream, and their shared parts.

mod authorization;
pub(crate) mod body;
pub(crate) mod event_stream;
pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod http_sse;
pub(crate) mod pending;
mod refusal;
pub(crate) mod refusal_hint;
pub(crate) mod request_id;
pub(crate) mod response_head;
pub(crate) mod response_stream;
mod status;
pub(crate) mod streamable_http;
pub(crate) mod streamable_http_legacy;

use std::sync::Arc;

use bytes::Bytes;

use super::error::TransportError;
use super::flow::deadline::Deadlines;
use super::flow::request_context::RequestContext;
use crate::protocol::Request;
use exchange::Exchange;

/// The transport to an upstream after the handshake.
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
    /// Sends a request.
    pub(crate) async fn send(
        &self,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Exchange, TransportError> {
        match self {
            Self::StreamableHttp(transport) => transport.send(request, context).await,
            Self::StreamableHttpLegacy(transport) => transport.send(request, context).await,
            Self::HttpSse(transport) => transport.send(request, context).await,
        }
    }

    /// Returns the deadlines of requests.
    pub(crate) fn deadlines(&self) -> Deadlines {
        match self {
            Self::StreamableHttp(transport) => transport.deadlines(),
            Self::StreamableHttpLegacy(transport) => transport.deadlines(),
            Self::HttpSse(transport) => transport.deadlines(),
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

    /// Closes the session, if the transport has one.
    pub(crate) async fn close(&self) {
        if let Self::StreamableHttpLegacy(transport) = self {
            transport.close().await;
        }
    }
}
