//! Posts a form to an endpoint: limits the size and time of the response, follows no redirect.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::time::timeout;
use tracing::debug;
use url::{Url, form_urlencoded};

use super::client_authentication::ClientAuthentication;
use super::dpop::{DPOP, DpopKey};
use super::error::TokenError;
use super::form::Form;
use super::token_response::{TokenResponseBody, parse_body};
use crate::net::{Clients, error_chain};
use crate::oauth::address::without_query;
use crate::oauth::discovery::document::{FetchError, read_body, transport_error};
use crate::oauth::tokens::{Timestamp, TokenResponse};

/// The deadline for one response. Some servers ask another server first.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest accepted `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// An endpoint, with the client that sends the requests.
pub(in crate::oauth) struct Endpoint<'a> {
    pub(in crate::oauth) clients: &'a Clients,
    pub(in crate::oauth) url: &'a Url,
    pub(in crate::oauth) client_id: &'a str,
    pub(in crate::oauth) authentication: ClientAuthentication<'a>,
    /// The audience of the client's assertions.
    pub(in crate::oauth) audience: &'a str,
    pub(in crate::oauth) dpop: Option<&'a DpopKey>,
}

impl Endpoint<'_> {
    /// Posts a form. Retries once if the server requires a DPoP nonce (RFC 9449 § 8): it has
    /// processed nothing until then.
    pub(in crate::oauth) async fn post_form(&self, form: &Form<'_>) -> Result<Bytes, TokenError> {
        match self.post_once(form).await? {
            (Err(TokenError::Refused { error, .. }), true) if error == "use_dpop_nonce" => {
                self.post_once(form).await?.0
            }
            (answer, _) => answer,
        }
    }

    /// Posts a form and requires a JSON object: serde would accept an array for a struct.
    pub(in crate::oauth) async fn post_form_for_json(
        &self,
        form: &Form<'_>,
    ) -> Result<Bytes, TokenError> {
        let body = self.post_form(form).await?;
        if body.trim_ascii_start().starts_with(b"{") {
            return Ok(body);
        }
        Err(self.malformed("not a JSON object"))
    }

    /// Posts the form of a grant that the `oauth2` crate does not know.
    pub(super) async fn token(&self, form: &Form<'_>) -> Result<TokenResponse, TokenError> {
        let sent_at = Timestamp::now();
        let body = self.post_form_for_json(form).await?;
        self.token_response(parse_body(&body, self.url)?, sent_at)
    }

    /// Checks the body of a response to a request that was sent at `sent_at`.
    pub(super) fn token_response(
        &self,
        answer: TokenResponseBody,
        sent_at: Timestamp,
    ) -> Result<TokenResponse, TokenError> {
        let grant = answer.into_response(sent_at, self.dpop.is_some());
        grant.map_err(|fault| self.malformed(fault))
    }

    /// Returns the error for a malformed response.
    pub(super) fn malformed(&self, fault: &str) -> TokenError {
        TokenError::Malformed {
            server: without_query(self.url).into(),
            fault: fault.to_owned(),
        }
    }

    /// Sends one request. Returns its result, and whether the response had a nonce.
    async fn post_once(
        &self,
        form: &Form<'_>,
    ) -> Result<(Result<Bytes, TokenError>, bool), TokenError> {
        let client = http_client(self.clients, self.url).await?;
        let mut form = form.clone();
        let authorization = self
            .authentication
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
        let response = send(request.body(encoded), self.url).await?;
        let has_nonce = self
            .dpop
            .is_some_and(|key| key.store_nonce(self.url, &response.headers));
        Ok((response.into_success_body(), has_nonce))
    }
}

/// A complete response.
pub(super) struct EndpointResponse {
    url: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Returns the HTTP client for `url`.
pub(super) async fn http_client(clients: &Clients, url: &Url) -> Result<Client, TokenError> {
    let client = clients.get(url).await;
    client.map_err(|error| TokenError::Unreachable {
        server: without_query(url).into(),
        outcome: error_chain(&error),
        retry_after: None,
    })
}

/// Adds `Accept`, sends a request, and reads the response.
pub(super) async fn send(
    request: RequestBuilder,
    url: &Url,
) -> Result<EndpointResponse, TokenError> {
    let url: String = without_query(url).into();
    let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
    let read = async {
        let response = request.send().await.map_err(transport_error)?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, read_body(response).await?))
    };
    let read = timeout(RESPONSE_TIMEOUT, read).await;
    let read = read.unwrap_or_else(|_| {
        let seconds = RESPONSE_TIMEOUT.as_secs();
        Err(FetchError::TimedOut(format!("no answer for {seconds} s")))
    });
    match read {
        Ok((status, headers, body)) => {
            debug!(%url, %status, bytes = body.len(), "authorization server answered");
            Ok(EndpointResponse {
                url,
                status,
                headers,
                body,
            })
        }
        Err(FetchError::Transient(outcome) | FetchError::TimedOut(outcome)) => {
            Err(TokenError::Unreachable {
                server: url,
                outcome,
                retry_after: None,
            })
        }
        Err(FetchError::NotFound(fault) | FetchError::Unusable(fault)) => {
            Err(TokenError::Malformed { server: url, fault })
        }
    }
}

impl EndpointResponse {
    /// Returns the body of a successful response. Some servers report errors with a success status.
    pub(super) fn into_success_body(self) -> Result<Bytes, TokenError> {
        let status = self.status;
        let transient = [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if status.is_server_error() || transient.contains(&status) {
            return Err(self.unreachable(format!("HTTP {status}")));
        }
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let text = |name: &str| body.as_ref()?.get(name)?.as_str().map(str::to_owned);
        match text("error") {
            Some(error) if !status.is_success() || text("access_token").is_none() => {
                Err(self.error_for_code(error, text("error_description")))
            }
            _ if status.is_success() => Ok(self.body),
            _ => Err(TokenError::Malformed {
                fault: format!("HTTP {status} without an error code"),
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

    /// Maps an error code. In each arm, the codes of RFC 6749 § 5.2 and RFC 8628 § 3.5 come first.
    /// Codes of GitHub and Slack for the same error follow.
    fn error_for_code(self, error: String, description: Option<String>) -> TokenError {
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
