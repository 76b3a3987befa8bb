//! Streamable HTTP of 2026-07-28: stateless, with all metadata in every request.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::body::Body;
use super::exchange::Exchange;
use super::http::Http;
use super::refusal::read_refusal;
use crate::protocol::Era;
use crate::protocol::Request;
use crate::protocol::param_headers::encode_value;
use crate::protocol::revision::MODERN;
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::Reader;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::request_context::RequestContext;
use crate::wire::outgoing::code;

pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The method whose response stream carries change notifications (MCP 2026-07-28 § Subscriptions).
pub(crate) const LISTEN: &str = "subscriptions/listen";

/// The method that returns the supported revisions (MCP 2026-07-28 § Discovery).
pub(crate) const DISCOVER: &str = "server/discover";

/// Returns the headers of every POST to an upstream.
pub(crate) fn post_headers(http: &Http) -> HeaderMap {
    let mut headers = http.headers();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    headers
}

/// The transport to a modern upstream.
#[derive(Debug)]
pub(crate) struct StreamableHttp {
    http: Http,
    headers: HeaderMap,
}

impl StreamableHttp {
    pub(super) fn deadlines(&self) -> Deadlines {
        self.http.deadlines
    }

    pub(crate) fn new(http: Http) -> Self {
        let mut headers = post_headers(&http);
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(MODERN));
        Self { http, headers }
    }

    /// Sends a request with the headers of MCP 2026-07-28 § Request Metadata.
    pub(crate) async fn send(
        &self,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Exchange, TransportError> {
        let headers = || {
            let mut headers = self.headers.clone();
            headers.insert(MCP_METHOD, encode_value(&request.method));
            if let Some(name) = &request.name {
                headers.insert(MCP_NAME, encode_value(name));
            }
            headers.extend(request.param_headers.iter().cloned());
            headers
        };
        let deadlines = Some(self.http.deadlines);
        let body = request.body.clone();
        let response = self
            .http
            .send_with_deadlines(deadlines, &context.activity, Method::POST, headers, body)
            .await?;
        if !response.status().is_success() {
            let (refusal, hint) = read_refusal(response, &self.http, Era::Modern).await?;
            // After the handshake, this error means that the server no longer supports the negotiated revision.
            if request.method != DISCOVER
                && refusal.error_code() == Some(code::UNSUPPORTED_PROTOCOL_VERSION)
            {
                return Err(TransportError::SessionExpired);
            }
            return Ok(Exchange::refused(request.id, refusal, hint));
        }
        let body = match &*request.method {
            // A subscription stream is silent until something changes.
            LISTEN => Body::long_lived(response, self.http.limits(), Reader::AllClients),
            _ => Body::new(response, self.http.limits(), context),
        };
        Exchange::from_body(request.id, body, None).await
    }

    /// Sends a notification. Its headers are not defined (MCP 2026-07-28 § Sending Messages).
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let headers = || self.headers.clone();
        let response = self.http.send(Method::POST, headers, body).await?;
        match response.status().is_success() {
            true => Ok(()),
            false => read_refusal(response, &self.http, Era::Modern)
                .await
                .map(drop),
        }
    }

    /// Returns an HTTP client with the same URL, for another transport.
    pub(crate) fn clone_http(&self) -> Http {
        self.http.with_url(self.http.url())
    }

    pub(crate) fn into_http(self) -> Http {
        self.http
    }
}
