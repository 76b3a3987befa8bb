//! HTTP towards one upstream: its headers and its token on every request, and redirects within
//! its origin only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Request, Response};
use tracing::debug;
use url::Url;

use super::authorization::{Authorization, Signature};
use super::body::BodyLimits;
use super::status::{Redactor, status_error};
use crate::net::{ConnectTracker, CurrentClient, error_chain};
use crate::oauth::Authorizer;
use crate::sync::Mutex;
use crate::upstream::error::TransportError;
use crate::upstream::flow::backpressure::ReadGate;
use crate::upstream::flow::deadline::{Activity, Deadlines};

/// How many redirects one request follows.
const MAX_REDIRECTS: usize = 3;

/// The settings of HTTP towards one upstream.
#[derive(Debug, Clone)]
pub(crate) struct HttpSettings {
    /// The url of the requests.
    pub(crate) url: Url,
    /// The headers of every request.
    pub(crate) headers: HeaderMap,
    /// The largest message, in bytes.
    pub(crate) message_limit: usize,
    /// The gate through which answers are read.
    pub(crate) read_gate: Arc<ReadGate>,
    /// After how much silence a stream that everything depends on is pinged.
    pub(crate) keep_alive: Option<Duration>,
    /// How long the upstream may be silent.
    pub(crate) deadlines: Deadlines,
}

/// The HTTP side of one upstream.
#[derive(Debug)]
pub(crate) struct Http {
    client: CurrentClient,
    /// Signs the requests, which are for this origin alone.
    authorization: Authorization,
    /// Moves on a redirect.
    url: Mutex<Url>,
    headers: HeaderMap,
    limits: BodyLimits,
    /// After how much silence a stream that everything depends on is pinged.
    pub(crate) keep_alive: Option<Duration>,
    /// How long the upstream may be silent.
    pub(crate) deadlines: Deadlines,
}

impl Http {
    pub(crate) fn new(
        client: CurrentClient,
        authorizer: Option<Arc<Authorizer>>,
        settings: HttpSettings,
    ) -> Self {
        let HttpSettings {
            url,
            headers,
            message_limit,
            read_gate,
            keep_alive,
            deadlines,
        } = settings;
        Self {
            client,
            authorization: Authorization::new(authorizer),
            url: Mutex::new(url),
            headers,
            limits: BodyLimits {
                message: message_limit,
                idle: deadlines.idle,
                read_gate,
            },
            keep_alive,
            deadlines,
        }
    }

    /// Returns HTTP towards the same upstream at another url of the same origin.
    pub(crate) fn with_url(&self, url: Url) -> Self {
        Self {
            client: self.client.clone(),
            authorization: self.authorization.clone(),
            url: Mutex::new(url),
            headers: self.headers.clone(),
            limits: self.limits.clone(),
            ..*self
        }
    }

    pub(crate) fn url(&self) -> Url {
        self.url.lock().clone()
    }

    /// Returns the limits of the bodies of its answers.
    pub(crate) fn limits(&self) -> &BodyLimits {
        &self.limits
    }

    /// The secrets of its requests.
    pub(crate) fn redactor(&self) -> Redactor<'_> {
        Redactor {
            headers: &self.headers,
            authorizer: self.authorization.authorizer(),
        }
    }

    /// The configured headers, to which a request adds its own.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends one request and waits for the head of the answer, whatever its status.
    /// Each attempt builds its `headers`.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: impl Fn() -> HeaderMap,
        body: Bytes,
    ) -> Result<Response, TransportError> {
        let deadlines = Some(self.deadlines);
        let activity = Activity::default();
        // Boxed: it is large, and calls, which are many at a time, are not sent by this.
        Box::pin(self.send_with_deadlines(deadlines, &activity, method, headers, body)).await
    }

    /// Sends an MCP request, whose progress may count as activity before the head comes.
    /// `deadlines` is `None` if they are kept where the exchange is followed.
    pub(crate) async fn send_with_deadlines(
        &self,
        deadlines: Option<Deadlines>,
        activity: &Activity,
        method: Method,
        headers: impl Fn() -> HeaderMap,
        body: Bytes,
    ) -> Result<Response, TransportError> {
        let (mut redirects, mut refusals, mut has_new_proof) = (0, 0, false);
        loop {
            let mut request = Request::new(method.clone(), self.url());
            *request.headers_mut() = headers();
            if !body.is_empty() {
                *request.body_mut() = Some(body.clone().into());
            }
            let (response, signature) = self.send_once(request, deadlines, activity).await?;
            if response.status().is_redirection() {
                redirects += 1;
                if redirects > MAX_REDIRECTS {
                    let to = "itself again and again".to_owned();
                    return Err(TransportError::Redirect(to));
                }
                self.follow_redirect(&response)?;
            } else if let Some(challenges) = self.authorization.challenges(&response) {
                if !has_new_proof && signature.is_outdated(&challenges) {
                    has_new_proof = true;
                    continue;
                }
                has_new_proof = false;
                refusals += 1;
                let status = response.status();
                let replacing =
                    self.authorization
                        .replace_token(&signature, status, &challenges, refusals);
                // Boxed: it is large, and on the path of every request.
                Box::pin(replacing).await?;
            } else {
                activity.touch();
                return Ok(response);
            }
        }
    }

    /// Signs a request, sends it, and waits for the head of the answer.
    async fn send_once(
        &self,
        mut request: Request,
        deadlines: Option<Deadlines>,
        activity: &Activity,
    ) -> Result<(Response, Signature), TransportError> {
        let mut signature = self.authorization.sign(&mut request).await?;
        let client = self.client.get().await;
        let client = client.map_err(|error| TransportError::Connect(error_chain(&error)))?;
        let response = match deadlines {
            Some(deadlines) => {
                let connect_tracker = ConnectTracker::new();
                let sending = connect_tracker.track(client.execute(request));
                deadlines
                    .wait_for_head(sending, &connect_tracker, activity)
                    .await?
            }
            None => client.execute(request).await,
        };
        let connect_timeout = self.client.connect_timeout();
        let response =
            response.map_err(|error| TransportError::from_http(error, connect_timeout))?;
        signature.record_nonce(&response);
        Ok((response, signature))
    }

    /// 307 and 308 keep method and body (RFC 9110 § 15.4); no other redirect can mean a POST.
    fn follow_redirect(&self, response: &Response) -> Result<(), TransportError> {
        let current = self.url();
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| current.join(to).ok());
        let keeps_method = matches!(
            response.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        match to {
            Some(to) if keeps_method && to.origin() == current.origin() => {
                debug!(path = to.path(), "following a redirect");
                *self.url.lock() = to;
                Ok(())
            }
            Some(to) if to.origin() != current.origin() => {
                Err(TransportError::Redirect(to.origin().ascii_serialization()))
            }
            _ => Err(status_error(
                response.status(),
                &HeaderMap::new(),
                b"",
                self.redactor(),
            )),
        }
    }
}
