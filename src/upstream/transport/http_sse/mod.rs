//! HTTP+SSE of 2024-11-05: one long-lived stream carries all messages from the upstream. Every message to the
//! upstream is a POST to the endpoint that the stream's first event names.

mod message_endpoint;
pub(crate) mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Method};
use tokio::time::timeout;

use super::body::{Body, media_type};
use super::event_stream::{EventStream, Incoming};
use super::exchange::Exchange;
use super::http::Http;
use super::pending::PendingResponses;
use super::refusal::refusal_error;
use crate::protocol::{Request, ServerRequests};
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::{Reader, StreamClient};
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::request_context::RequestContext;
use message_endpoint::MessageEndpoint;
use stream::HttpSseStream;

/// A connection to an HTTP+SSE upstream. Its stream is read by [`HttpSseStream`].
#[derive(Debug)]
pub(crate) struct HttpSse {
    endpoint: Arc<MessageEndpoint>,
    pending: PendingResponses,
    /// The client that reads the stream's messages.
    client: Arc<StreamClient>,
}

impl HttpSse {
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.endpoint.http().deadlines
    }

    /// Opens the stream and waits for its `endpoint` event.
    ///
    /// # Errors
    /// [`TransportError`], also when the endpoint has another origin, where credentials must not go.
    pub(crate) async fn open(http: &Http) -> Result<(Self, HttpSseStream), TransportError> {
        let mut headers = http.headers();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = http
            .send(Method::GET, || headers.clone(), Bytes::new())
            .await?;
        if !response.status().is_success() {
            return Err(refusal_error(response, http).await);
        }
        let kind = media_type(response.headers());
        if kind != "text/event-stream" {
            return Err(TransportError::ContentType(kind));
        }
        let client = Arc::<StreamClient>::default();
        let reader = Reader::Stream(client.clone());
        let body = Body::long_lived(response, http.limits(), reader);
        body.check_encoding()?;
        let mut events = EventStream::new(body);
        let limit = http.deadlines.first_byte;
        let first = timeout(limit, events.next()).await;
        let endpoint = match first.map_err(|_| TransportError::FirstByteTimeout(limit))?? {
            Some(Incoming::Endpoint(endpoint)) => endpoint,
            _ => {
                return Err(TransportError::Handshake(
                    "the event stream does not begin with an `endpoint` event".to_owned(),
                ));
            }
        };
        let (here, to) = (http.url(), http.url().join(&endpoint));
        let to =
            to.map_err(|e| TransportError::Handshake(format!("the `endpoint` is not a URI: {e}")))?;
        if to.origin() != here.origin() {
            return Err(TransportError::Redirect(to.origin().ascii_serialization()));
        }
        let endpoint = Arc::new(MessageEndpoint::new(http.with_url(to)));
        let pending = PendingResponses::new();
        let stream = HttpSseStream::new(events, endpoint.clone(), pending.clone());
        let transport = Self {
            endpoint,
            pending,
            client,
        };
        Ok((transport, stream))
    }

    /// Returns `true` if no request waits for a response.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) async fn send(
        &self,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Exchange, TransportError> {
        if let Some(send_buffer) = &context.send_buffer {
            self.client.bind(send_buffer);
        }
        // Registered first: the response may arrive before the HTTP response to the POST.
        let mut response = self.pending.register(request.id, self.deadlines().idle)?;
        // If the server may send requests to the client, the caller applies the deadlines.
        let deadlines =
            (request.server_requests == ServerRequests::Unsupported).then(|| self.deadlines());
        let sending = self.endpoint.send(request.body.clone(), deadlines, context);
        // Boxed: it is large, and part of every call's task with any transport.
        let mut sending = Box::pin(sending);
        tokio::select! {
            biased;
            sent = &mut sending => sent?,
            // Some servers respond to the POST only after the response on the stream.
            arrived = response.wait_until_arrived() => if let Err(ended) = arrived {
                // The stream is closed. The response to the POST may still reject the request.
                sending.await?;
                return Err(ended);
            },
        }
        Ok(Exchange::shared(request.id, response))
    }

    /// Sends a message that gets no response.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let deadlines = Some(self.deadlines());
        self.endpoint
            .send(body, deadlines, &RequestContext::default())
            .await
    }
}
