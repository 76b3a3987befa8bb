//! Streamable HTTP of 2025-03-26 to 2025-11-25: a session that `initialize` opens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Response;
use tracing::debug;

use super::body::{Body, media_type};
use super::event_stream::EventStream;
use super::exchange::Exchange;
use super::http::Http;
use super::refusal::{read_refusal, refusal_error};
use super::refusal_hint::{RefusalHint, lacks_request_id};
use super::response_stream::ReplyChannel;
use super::streamable_http::{PROTOCOL_VERSION, post_headers};
use crate::protocol::Era;
use crate::protocol::reply::{default_response, error_text};
use crate::protocol::{Request, ServerRequests};
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::Reader;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::request_context::RequestContext;
use crate::wire::Message;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The timeout of the request that closes a session, which is optional.
const DELETE_TIMEOUT: Duration = Duration::from_millis(800);

/// A session with a legacy upstream.
#[derive(Debug)]
pub(crate) struct StreamableHttpLegacy {
    http: Http,
    /// The headers of every request; after the handshake with the revision and the session id.
    headers: HeaderMap,
    has_session: bool,
}

impl StreamableHttpLegacy {
    pub(super) fn deadlines(&self) -> Deadlines {
        self.http.deadlines
    }

    /// Sends `initialize` and stores the session id of the response.
    pub(crate) async fn initialize(
        http: Http,
        request: &Request,
    ) -> Result<(Self, Message), TransportError> {
        let headers = post_headers(&http);
        let mut session = Self {
            http,
            headers,
            has_session: false,
        };
        let response = session.send_initialize(request).await?;
        Ok((session, response))
    }

    async fn send_initialize(&mut self, request: &Request) -> Result<Message, TransportError> {
        let response = self.post(request.body.clone()).await?;
        if !response.status().is_success() {
            return Err(refusal_error(response, &self.http).await);
        }
        if let Some(id) = response.headers().get(SESSION_ID) {
            let mut id = id.clone();
            id.set_sensitive(true);
            self.headers.insert(SESSION_ID, id);
            self.has_session = true;
        }
        let body = Body::new(response, self.http.limits(), &RequestContext::default());
        Exchange::from_body(request.id, body, None)
            .await?
            .response()
            .await
    }

    /// Sets the header with the negotiated revision for all later requests (MCP 2025-06-18 and later).
    pub(crate) fn set_version(&mut self, version: &'static str) {
        self.headers
            .insert(PROTOCOL_VERSION, HeaderValue::from_static(version));
    }

    pub(crate) async fn send(
        self: &Arc<Self>,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Exchange, TransportError> {
        let headers = || self.headers.clone();
        let body = request.body.clone();
        // If the server may send requests to the client, the caller applies the deadlines.
        let deadlines =
            (request.server_requests == ServerRequests::Unsupported).then_some(self.http.deadlines);
        let response = self
            .http
            .send_with_deadlines(deadlines, &context.activity, Method::POST, headers, body)
            .await?;
        if !response.status().is_success() {
            let (refusal, hint) = self.read_refusal(response).await?;
            return Ok(Exchange::refused(request.id, refusal, hint));
        }
        Exchange::from_body(
            request.id,
            Body::new(response, self.http.limits(), context),
            Some(self.clone()),
        )
        .await
    }

    /// Sends a notification or a response.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let response = self.post(body).await?;
        if response.status().is_success() {
            return Ok(());
        }
        self.read_refusal(response).await.map(drop)
    }

    /// Opens the standalone event stream. Returns `None` if the upstream has none: it responds with 405, or with
    /// another media type.
    pub(crate) async fn listen(
        &self,
        last_event_id: Option<&str>,
    ) -> Result<Option<EventStream>, TransportError> {
        let mut headers = self.headers.clone();
        headers.remove(http::header::CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        let response = self
            .http
            .send(Method::GET, || headers.clone(), Bytes::new())
            .await?;
        match response.status() {
            StatusCode::NOT_FOUND if self.has_session => Err(TransportError::SessionExpired),
            status
                if status.is_success() && media_type(response.headers()) == "text/event-stream" =>
            {
                let body = Body::long_lived(response, self.http.limits(), Reader::AllClients);
                body.check_encoding()?;
                Ok(Some(EventStream::new(body)))
            }
            StatusCode::UNAUTHORIZED => Err(TransportError::CredentialsRequired),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(refusal_error(response, &self.http).await)
            }
            StatusCode::BAD_REQUEST => match self.read_refusal(response).await {
                Err(expired @ TransportError::SessionExpired) => Err(expired),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Closes the session (MCP 2025-11-25 § Session Management 5).
    pub(crate) async fn close(&self) {
        if self.has_session {
            let delete = self
                .http
                .send(Method::DELETE, || self.headers.clone(), Bytes::new());
            let ended = tokio::time::timeout(DELETE_TIMEOUT, delete).await;
            debug!(ok = matches!(ended, Ok(Ok(_))), "session closed");
        }
    }

    async fn post(&self, body: Bytes) -> Result<Response, TransportError> {
        self.http
            .send(Method::POST, || self.headers.clone(), body)
            .await
    }

    /// Reads a refusal, or returns [`TransportError::SessionExpired`].
    ///
    /// 404 to a request with a session id means that the session has expired, with any body. Many servers modelled on
    /// the TypeScript SDK's examples return 400 instead, and mention the session only in the error text.
    async fn read_refusal(
        &self,
        response: Response,
    ) -> Result<(Message, Option<RefusalHint>), TransportError> {
        let status = response.status();
        if self.has_session && status == StatusCode::NOT_FOUND {
            return Err(TransportError::SessionExpired);
        }
        let (message, hint) = read_refusal(response, &self.http, Era::Legacy).await?;
        if self.has_session
            && status == StatusCode::BAD_REQUEST
            && lacks_request_id(&message)
            && error_text(&message).to_lowercase().contains("session")
        {
            return Err(TransportError::SessionExpired);
        }
        Ok((message, hint))
    }
}

impl ReplyChannel for StreamableHttpLegacy {
    fn reopen<'a>(
        &'a self,
        last_event_id: &'a str,
    ) -> BoxFuture<'a, Result<EventStream, TransportError>> {
        Box::pin(async {
            let events = self.listen(Some(last_event_id)).await?;
            events.ok_or(TransportError::StreamEnded)
        })
    }

    fn reply(self: Arc<Self>, request: &Message) {
        let response = default_response(request);
        tokio::spawn(async move {
            if let Err(error) = self.notify(response).await {
                debug!(%error, "could not reply to a server request");
            }
        });
    }
}
