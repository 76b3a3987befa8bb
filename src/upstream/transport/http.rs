//! Sends HTTP requests to one upstream: with its headers and token, and following redirects only within its origin.

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
use crate::upstream::error::{TransportError, http_client};
use crate::upstream::flow::backpressure::ReadGate;
use crate::upstream::flow::deadline::{Activity, Deadlines};

/// The number of redirects that one request follows.
const MAX_REDIRECTS: usize = 3;

/// The HTTP settings of one upstream.
#[derive(Debug, Clone)]
pub(crate) struct HttpSettings {
    /// The URL of the requests.
    pub(crate) url: Url,
    /// The headers of every request.
    pub(crate) headers: HeaderMap,
    /// The size limit of a message, in bytes.
    pub(crate) message_limit: usize,
    /// The gate through which responses are read.
    pub(crate) read_gate: Arc<ReadGate>,
    /// The time without a byte after which the stream of HTTP+SSE is pinged.
    pub(crate) keep_alive: Option<Duration>,
    /// The deadlines of requests.
    pub(crate) deadlines: Deadlines,
}

/// The HTTP client of one upstream.
#[derive(Debug)]
pub(crate) struct Http {
    client: CurrentClient,
    /// Signs the requests, which go to this origin only.
    authorization: Authorization,
    /// The current URL, which a redirect changes.
    url: Mutex<Url>,
    headers: HeaderMap,
    limits: BodyLimits,
    /// The time without a byte after which the stream of HTTP+SSE is pinged.
    pub(crate) keep_alive: Option<Duration>,
    /// The deadlines of requests.
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

    /// Returns a client of the same upstream with another URL of the same origin.
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

    /// Returns the limits of response bodies.
    pub(crate) fn limits(&self) -> &BodyLimits {
        &self.limits
    }

    /// Returns a redactor for the secrets in its requests.
    pub(crate) fn redactor(&self) -> Redactor<'_> {
        Redactor {
            headers: &self.headers,
            authorizer: self.authorization.authorizer(),
        }
    }

    /// Returns the configured headers.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends one request and waits for the head of the response, with any status.
    /// `headers` is called for each attempt.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: impl Fn() -> HeaderMap,
        body: Bytes,
    ) -> Result<Response, TransportError> {
        let deadlines = Some(self.deadlines);
        let activity = Activity::default();
        // Boxed: it is large, and not on the path of calls.
        Box::pin(self.send_with_deadlines(deadlines, &activity, method, headers, body)).await
    }

    /// Sends an MCP request, whose progress may count as activity before the head of the response arrives.
    /// `deadlines` is `None` if the caller applies them itself.
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
                    return Err(TransportError::TooManyRedirects(MAX_REDIRECTS));
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

    /// Signs a request, sends it, and waits for the head of the response.
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
        let response = response.map_err(|error| http_client::classify(error, connect_timeout))?;
        signature.record_nonce(&response);
        Ok((response, signature))
    }

    /// Changes the URL to the target of a redirect of the same origin.
    ///
    /// Only 307 and 308 are followed: they keep the method and the body (RFC 9110 § 15.4).
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
