//! One form to an endpoint, and its answer: bounded in size and time, redirect-free.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::time::timeout;
use tracing::debug;
use url::{Url, form_urlencoded};

use super::answer::{Answer, read};
use super::credentials::Credentials;
use super::dpop::{DPOP, DpopKey};
use super::error::TokenError;
use super::form::Form;
use crate::net::{Clients, chain};
use crate::oauth::address::without_query;
use crate::oauth::discovery::document::{Missing, body, broken};
use crate::oauth::tokens::{Grant, Timestamp};

/// How long one answer may take: some servers ask another one first.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest time that a server may want to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// An endpoint, as one client sees it.
pub(in crate::oauth) struct Endpoint<'a> {
    pub(in crate::oauth) clients: &'a Clients,
    pub(in crate::oauth) url: &'a Url,
    pub(in crate::oauth) client_id: &'a str,
    pub(in crate::oauth) credentials: Credentials<'a>,
    /// Whom an assertion of the client is for.
    pub(in crate::oauth) audience: &'a str,
    pub(in crate::oauth) dpop: Option<&'a DpopKey>,
}

impl Endpoint<'_> {
    /// Posts a form, once more if the server wants a nonce in the proof (RFC 9449 § 8): it has done
    /// nothing else then.
    pub(in crate::oauth) async fn post(&self, form: &Form<'_>) -> Result<Bytes, TokenError> {
        match self.attempt(form).await? {
            (Err(TokenError::Refused { error, .. }), true) if error == "use_dpop_nonce" => {
                self.attempt(form).await?.0
            }
            (answer, _) => answer,
        }
    }

    /// The same for an answer that has to be a JSON object: serde takes a list for one, too.
    pub(in crate::oauth) async fn ask(&self, form: &Form<'_>) -> Result<Bytes, TokenError> {
        let body = self.post(form).await?;
        if body.trim_ascii_start().starts_with(b"{") {
            return Ok(body);
        }
        Err(self.malformed("it is no JSON object"))
    }

    /// Posts a form for a token that the library has no request for.
    pub(super) async fn token(&self, form: &Form<'_>) -> Result<Grant, TokenError> {
        let sent = Timestamp::now();
        let body = self.ask(form).await?;
        self.granted(read(&body, self.url)?, sent)
    }

    /// The grant of an answer to a request that was sent at `sent`.
    pub(super) fn granted(&self, answer: Answer, sent: Timestamp) -> Result<Grant, TokenError> {
        let grant = answer.into_grant(sent, self.dpop.is_some());
        grant.map_err(|fault| self.malformed(fault))
    }

    /// The error for an answer with a fault.
    pub(super) fn malformed(&self, fault: &str) -> TokenError {
        TokenError::Malformed {
            server: without_query(self.url).into(),
            fault: fault.to_owned(),
        }
    }

    /// One request; what came of it, and whether the answer brought a nonce.
    async fn attempt(
        &self,
        form: &Form<'_>,
    ) -> Result<(Result<Bytes, TokenError>, bool), TokenError> {
        let client = client(self.clients, self.url).await?;
        let mut form = form.clone();
        let authorization = self
            .credentials
            .apply(&mut form, self.client_id, self.audience)?;
        let encoded = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = client.post(self.url.clone());
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = self.dpop {
            request = request.header(DPOP, key.proof(&Method::POST, self.url, None)?);
        }
        let reply = send(request.body(encoded), self.url).await?;
        let nonce = self
            .dpop
            .is_some_and(|key| key.keep_nonce(self.url, &reply.headers));
        Ok((reply.accepted(), nonce))
    }
}

/// An answer that came whole.
pub(super) struct Reply {
    url: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Who makes the connection.
pub(super) async fn client(clients: &Clients, url: &Url) -> Result<Client, TokenError> {
    let client = clients.get(url).await;
    client.map_err(|error| TokenError::Unreachable {
        server: without_query(url).into(),
        outcome: chain(&error),
        retry_after: None,
    })
}

/// Sends a request that is ready but for what it accepts.
pub(super) async fn send(request: RequestBuilder, url: &Url) -> Result<Reply, TokenError> {
    let url: String = without_query(url).into();
    let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
    let read = async {
        let response = request.send().await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, body(response).await?))
    };
    let read = timeout(PATIENCE, read).await;
    let read = read.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        Err(Missing::Silent(format!("no answer for {seconds} s")))
    });
    match read {
        Ok((status, headers, body)) => {
            debug!(%url, %status, bytes = body.len(), "authorization server answered");
            Ok(Reply {
                url,
                status,
                headers,
                body,
            })
        }
        Err(Missing::Transient(outcome) | Missing::Silent(outcome)) => {
            Err(TokenError::Unreachable {
                server: url,
                outcome,
                retry_after: None,
            })
        }
        Err(Missing::Absent(fault) | Missing::Unusable(fault)) => {
            Err(TokenError::Malformed { server: url, fault })
        }
    }
}

impl Reply {
    /// The body of a good answer. Some servers refuse with a good status too.
    pub(super) fn accepted(self) -> Result<Bytes, TokenError> {
        let status = self.status;
        let later = [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if status.is_server_error() || later.contains(&status) {
            return Err(self.unreachable(format!("HTTP {status}")));
        }
        let told: Option<Value> = serde_json::from_slice(&self.body).ok();
        let text = |name: &str| told.as_ref()?.get(name)?.as_str().map(str::to_owned);
        match text("error") {
            Some(error) if !status.is_success() || text("access_token").is_none() => {
                Err(self.refusal(error, text("error_description")))
            }
            _ if status.is_success() => Ok(self.body),
            _ => Err(TokenError::Malformed {
                fault: format!("HTTP {status} without a reason"),
                server: self.url,
            }),
        }
    }

    fn unreachable(self, outcome: String) -> TokenError {
        let seconds = self.headers.get(RETRY_AFTER);
        let seconds = seconds.and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        TokenError::Unreachable {
            server: self.url,
            outcome,
            retry_after: wait,
        }
    }

    /// What an error code means to us. The codes of RFC 6749 § 5.2 and RFC 8628 § 3.5 stand first,
    /// after them those of GitHub and of Slack for the same.
    fn refusal(self, error: String, description: Option<String>) -> TokenError {
        match error.as_str() {
            "invalid_grant"
            | "bad_verification_code"
            | "bad_refresh_token"
            | "invalid_code"
            | "code_already_used"
            | "invalid_refresh_token" => TokenError::InvalidGrant { description },
            "invalid_client"
            | "incorrect_client_credentials"
            | "invalid_client_id"
            | "bad_client_secret" => TokenError::InvalidClient { description },
            "access_denied" => TokenError::Denied,
            "expired_token" => TokenError::Expired,
            "temporarily_unavailable" | "server_error" => self.unreachable(error),
            _ => TokenError::Refused { error, description },
        }
    }
}

#[cfg(test)]
mod tests;
