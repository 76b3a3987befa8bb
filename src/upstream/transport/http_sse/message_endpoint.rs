//! The way to an HTTP+SSE upstream: every message to it is a POST to its endpoint.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::request_context::RequestContext;
use crate::upstream::transport::body::Body;
use crate::upstream::transport::http::Http;
use crate::upstream::transport::refusal::refusal_error;
use crate::upstream::transport::streamable_http::post_headers;

/// Posts messages to the endpoint that the stream has named.
#[derive(Debug)]
pub(super) struct MessageEndpoint {
    http: Http,
    headers: HeaderMap,
}

impl MessageEndpoint {
    /// Posts to the url of `http`, the endpoint.
    pub(super) fn new(http: Http) -> Self {
        let headers = post_headers(&http);
        Self { http, headers }
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Sends a message. Its answer, if there is one, comes on the stream.
    ///
    /// # Errors
    /// [`TransportError`], when the message was not accepted.
    pub(super) async fn send(
        &self,
        body: Bytes,
        deadlines: Option<Deadlines>,
        context: &RequestContext,
    ) -> Result<(), TransportError> {
        let headers = || self.headers.clone();
        let response = self
            .http
            .send_with_deadlines(deadlines, &context.activity, Method::POST, headers, body)
            .await?;
        match response.status() {
            status if status.is_success() => {
                // Read to its end, so that the connection can be used again.
                let body = Body::new(response, self.http.limits(), context);
                let _ = body.read_all().await;
                Ok(())
            }
            // The server has forgotten the stream that the endpoint belongs to.
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::SessionExpired),
            _ => Err(refusal_error(response, &self.http).await),
        }
    }
}
