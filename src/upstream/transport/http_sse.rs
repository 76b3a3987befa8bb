//! HTTP+SSE of 2024-11-05: one long-lived stream carries everything that the upstream says,
//! and every message to it is a POST to the `endpoint` that the stream names first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::debug;

use super::body::{Body, media_type};
use super::events::{EventStream, Incoming};
use super::http::Http;
use super::refusal::refusal;
use super::streamable_http::post_headers;
use crate::upstream::error::TransportError;
use crate::upstream::exchange::Exchange;
use crate::upstream::request::Request;
use crate::wire::{Kind, Message};

/// The requests that wait for their response, by id.
/// std's Mutex: held for one map operation, never across an await.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Message>>>>;

/// A connection to an HTTP+SSE upstream, without its stream, which [`HttpSseStream`] reads.
#[derive(Debug)]
pub(crate) struct HttpSse {
    http: Http,
    headers: HeaderMap,
    waiting: Waiting,
    heard: Arc<Mutex<Instant>>,
}

/// The stream's side of the connection.
#[derive(Debug)]
pub(crate) struct HttpSseStream {
    events: EventStream,
    waiting: Waiting,
    heard: Arc<Mutex<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpSse {
    pub(super) fn idle(&self) -> Duration {
        self.http.idle
    }

    /// Opens the stream and waits for its `endpoint` event.
    ///
    /// # Errors
    /// [`TransportError`], also when the endpoint is of another origin, where credentials must not go.
    pub(crate) async fn open(http: &Http) -> Result<(Self, HttpSseStream), TransportError> {
        let mut headers = http.headers();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = http
            .send(Method::GET, || headers.clone(), Bytes::new())
            .await?;
        if !response.status().is_success() {
            return Err(refusal(response, http).await);
        }
        let kind = media_type(response.headers());
        if kind != "text/event-stream" {
            return Err(TransportError::ContentType(kind));
        }
        let mut events = EventStream::new(Body::patient(response, http));
        let first = timeout(http.idle, events.next()).await;
        let endpoint = match first.map_err(|_| TransportError::Timeout(http.idle))?? {
            Some(Incoming::Endpoint(endpoint)) => endpoint,
            _ => {
                return Err(TransportError::Handshake(
                    "the stream named no endpoint".to_owned(),
                ));
            }
        };
        let (here, to) = (http.url(), http.url().join(&endpoint));
        let to =
            to.map_err(|e| TransportError::Handshake(format!("its endpoint is no URI: {e}")))?;
        if to.origin() != here.origin() {
            return Err(TransportError::Redirect(to.origin().ascii_serialization()));
        }
        let (waiting, heard) = (Waiting::default(), Arc::new(Mutex::new(Instant::now())));
        let http = http.at(to);
        let headers = post_headers(&http);
        let stream = HttpSseStream {
            events,
            waiting: waiting.clone(),
            heard: heard.clone(),
        };
        Ok((
            Self {
                http,
                headers,
                waiting,
                heard,
            },
            stream,
        ))
    }

    pub(crate) async fn send(&self, request: &Request) -> Result<Exchange, TransportError> {
        // The answer may overtake that of the POST, so it is waited for first.
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(request.id, sender);
        let reply = SharedReply {
            id: request.id,
            answer,
            idle: self.http.idle,
            waiting: self.waiting.clone(),
            heard: self.heard.clone(),
        };
        self.notify(request.body.clone()).await?;
        Ok(Exchange::shared(request.id, reply))
    }

    /// Sends a message that gets no response.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let response = self
            .http
            .send(Method::POST, || self.headers.clone(), body)
            .await?;
        match response.status() {
            status if status.is_success() => {
                // Read to its end, so that the connection can be used again.
                let _ = Body::new(response, &self.http).whole().await;
                Ok(())
            }
            // The server has forgotten the stream that the endpoint belongs to.
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::SessionExpired),
            _ => Err(refusal(response, &self.http).await),
        }
    }
}

impl HttpSseStream {
    /// The next message that is not the response to one of our requests, which are delivered
    /// here; `None` when the stream has ended. Requests of the upstream come out with the answer
    /// that is due.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, TransportError> {
        loop {
            let message = match self.events.next().await? {
                Some(Incoming::Message(message)) => message,
                Some(Incoming::Endpoint(_)) => continue,
                None => return Ok(None),
            };
            *lock(&self.heard) = Instant::now();
            if message.kind() != Kind::Response {
                return Ok(Some(message));
            }
            let id = message
                .id()
                .and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok());
            match id.and_then(|id: u64| lock(&self.waiting).remove(&id)) {
                Some(waiting) => drop(waiting.send(message)),
                None => debug!(?id, "ignoring a response that nobody waits for"),
            }
        }
    }
}

impl Drop for HttpSseStream {
    /// What still waits will never be answered.
    fn drop(&mut self) {
        lock(&self.waiting).clear();
    }
}

/// A response that will come on the shared stream.
#[derive(Debug)]
pub(crate) struct SharedReply {
    id: u64,
    answer: oneshot::Receiver<Message>,
    idle: Duration,
    waiting: Waiting,
    heard: Arc<Mutex<Instant>>,
}

impl SharedReply {
    /// Waits for it as long as the stream is alive and not silent for too long.
    pub(crate) async fn wait(&mut self) -> Result<Message, TransportError> {
        let begun = Instant::now();
        loop {
            let silent = lock(&self.heard).max(begun).elapsed();
            let left = self.idle.saturating_sub(silent);
            if left.is_zero() {
                return Err(TransportError::Timeout(self.idle));
            }
            match timeout(left, &mut self.answer).await {
                Ok(answer) => return answer.map_err(|_| TransportError::StreamEnded),
                Err(_) => continue,
            }
        }
    }
}

impl Drop for SharedReply {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
    }
}
