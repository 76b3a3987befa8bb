//! HTTP+SSE of 2024-11-05: one long-lived stream carries everything that the upstream says,
//! and every message to it is a POST to the `endpoint` that the stream names first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::body::{Body, media_type};
use super::event_stream::{EventStream, Incoming};
use super::exchange::Exchange;
use super::http::Http;
use super::refusal::refusal;
use super::streamable_http::post_headers;
use crate::protocol::{Request, ServerRequests};
use crate::upstream::error::TransportError;
use crate::upstream::flow::deadline::{Activity, Deadlines};
use crate::wire::Message;

pub(crate) mod stream;

use stream::HttpSseStream;

/// The requests that wait for their response, by id; `None` once the stream is gone, and nothing can come.
/// std's Mutex: held for one map operation, never across an await.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Message>>>>>;

/// When the stream last brought anything but the answer to a ping.
type Heard = Arc<Mutex<Instant>>;

/// A connection to an HTTP+SSE upstream, without its stream, which [`HttpSseStream`] reads.
#[derive(Debug)]
pub(crate) struct HttpSse {
    post: Arc<Post>,
    waiting: Waiting,
    heard: Heard,
}

/// Where messages go.
#[derive(Debug)]
struct Post {
    http: Http,
    headers: HeaderMap,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpSse {
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.post.http.deadlines
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
        let body = Body::patient(response, http);
        body.check_encoding()?;
        let mut events = EventStream::new(body);
        let limit = http.deadlines.first_byte;
        let first = timeout(limit, events.next()).await;
        let endpoint = match first.map_err(|_| TransportError::FirstByte(limit))?? {
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
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let heard = Arc::new(Mutex::new(Instant::now()));
        let http = http.at(to);
        let headers = post_headers(&http);
        let post = Arc::new(Post { http, headers });
        let stream = HttpSseStream::new(events, post.clone(), waiting.clone(), heard.clone());
        let connection = Self {
            post,
            waiting,
            heard,
        };
        Ok((connection, stream))
    }

    /// Whether nobody waits for a response.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.waiting).as_ref().is_none_or(HashMap::is_empty)
    }

    pub(crate) async fn send(
        &self,
        request: &Request,
        activity: &Activity,
    ) -> Result<Exchange, TransportError> {
        // The answer may overtake that of the POST, so it is waited for first.
        let (sender, answer) = oneshot::channel();
        match &mut *lock(&self.waiting) {
            Some(waiting) => drop(waiting.insert(request.id, sender)),
            // Nothing was sent, and no answer could come.
            None => return Err(TransportError::SessionExpired),
        }
        let mut reply = SharedReply {
            id: request.id,
            answer,
            came: None,
            idle: self.deadlines().idle,
            waiting: self.waiting.clone(),
            heard: self.heard.clone(),
        };
        // Where the client can be asked, whoever follows the request judges its silence.
        let deadlines = (request.asking == ServerRequests::Unsupported).then(|| self.deadlines());
        let sending = self.post.send(request.body.clone(), deadlines, activity);
        // Boxed: it is large, and in the task of every call, whatever its transport.
        let mut sending = Box::pin(sending);
        tokio::select! {
            biased;
            sent = &mut sending => sent?,
            answer = &mut reply.answer => match answer {
                // Some servers answer the POST last of all.
                Ok(answer) => reply.came = Some(answer),
                // The stream is gone. The POST may yet tell that the request was not taken.
                Err(_) => {
                    sending.await?;
                    return Err(TransportError::StreamEnded);
                }
            },
        }
        Ok(Exchange::shared(request.id, reply))
    }

    /// Sends a message that gets no response.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let deadlines = Some(self.deadlines());
        self.post.send(body, deadlines, &Activity::default()).await
    }
}

impl Post {
    async fn send(
        &self,
        body: Bytes,
        deadlines: Option<Deadlines>,
        activity: &Activity,
    ) -> Result<(), TransportError> {
        let headers = || self.headers.clone();
        let response = self
            .http
            .send_within(deadlines, activity, Method::POST, headers, body)
            .await?;
        match response.status() {
            status if status.is_success() => {
                // Read to its end, so that the connection can be used again.
                let _ = Body::new(response, &self.http, activity).whole().await;
                Ok(())
            }
            // The server has forgotten the stream that the endpoint belongs to.
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::SessionExpired),
            _ => Err(refusal(response, &self.http).await),
        }
    }
}

/// A response that will come on the shared stream.
#[derive(Debug)]
pub(crate) struct SharedReply {
    id: u64,
    answer: oneshot::Receiver<Message>,
    /// The answer, where it was quicker than that to the POST.
    came: Option<Message>,
    idle: Duration,
    waiting: Waiting,
    heard: Heard,
}

impl SharedReply {
    /// Waits for it as long as the stream is alive and not silent for too long.
    pub(crate) async fn wait(&mut self) -> Result<Message, TransportError> {
        if let Some(message) = self.came.take() {
            return Ok(message);
        }
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
        if let Some(waiting) = &mut *lock(&self.waiting) {
            waiting.remove(&self.id);
        }
    }
}
