//! The endpoint of an HTTP+SSE upstream, to which every message is sent by POST.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::request_context::RequestContext;
use crate::upstream::transport::body::Body;
use crate::upstream::transport::http::Http;
use crate::upstream::transport::refusal::refusal_error;
use crate::upstream::transport::streamable_http::post_headers;

/// Sends messages to the endpoint that the stream has named.
#[derive(Debug)]
pub(super) struct MessageEndpoint {
    http: Http,
    headers: HeaderMap,
}

impl MessageEndpoint {
    /// Returns the endpoint at the URL of `http`.
    pub(super) fn new(http: Http) -> Self {
        let headers = post_headers(&http);
        Self { http, headers }
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Sends a message. Its response, if there is one, arrives on the stream.
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
                // Read to the end, so that the connection can be reused.
                let body = Body::new(response, self.http.limits(), context);
                let _ = body.read_all().await;
                Ok(())
            }
            // The server does not know the endpoint's stream any more.
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::SessionExpired),
            _ => Err(refusal_error(response, &self.http).await),
        }
    }
}
