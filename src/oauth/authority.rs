//! Asks an authorization server for tokens, as one client.
//!
//! Every request says who the client is in the way it was registered for, takes one bounded
//! answer, follows no redirect, and puts no secret into an error.

mod answer;
mod credentials;
mod device;
pub(in crate::oauth) mod dpop;
mod error;
mod form_post;
pub(in crate::oauth) mod id_assertion;
mod oauth2_crate;
mod registration;
pub(in crate::oauth) mod request;
pub(in crate::oauth) mod signing;

use std::borrow::Cow;

use bytes::Bytes;
use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl, RefreshToken};
use url::Url;

use super::address::{EndpointUrl, without_query};
use super::discovery::metadata::AuthorizationServer;
use super::tokens::{Client, Grant, Timestamp};
use crate::config::Secret;
use crate::net::Clients;
use dpop::DpopKey;
use signing::SigningKey;

pub(super) use answer::Answer;
pub(super) use credentials::Credentials;
use credentials::Form;
pub(super) use form_post::Endpoint;

pub use device::DeviceAuthorization;
pub use error::TokenError;
pub use registration::{Registration, register};

/// The grant of an assertion (RFC 7523 § 2.1).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One client at one authorization server.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// Who makes the connections.
    pub clients: &'a Clients,
    /// The server.
    pub server: &'a AuthorizationServer,
    /// The client, as the server knows it.
    pub client: &'a Client,
    /// What the client signs with, if it has a key (`private_key_jwt`, RFC 7523 § 2.2).
    pub key: Option<&'a SigningKey>,
    /// What tokens are to be bound to, if they are (RFC 9449).
    pub dpop: Option<&'a DpopKey>,
}

impl Authority<'_> {
    /// Spends the code of a sign-in (RFC 6749 § 4.1.3, RFC 7636 § 4.5).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] when the code is not taken; others.
    pub async fn exchange_code(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
        resource: Option<&str>,
    ) -> Result<Grant, TokenError> {
        let redirect = RedirectUrl::new(redirect_uri.to_owned());
        let redirect = redirect.map_err(|_| self.malformed("the redirect URI is no address"))?;
        let (sent, grants) = (Timestamp::now(), self.grants());
        let mut request = grants
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        for (name, value) in asked(None, resource) {
            request = request.add_extra_param(name, value);
        }
        self.answered(request.request_async(self).await, sent)
    }

    /// Gets the next access token (RFC 6749 § 6).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] when the refresh token is good for nothing any more; others.
    pub async fn refresh(
        &self,
        refresh_token: &Secret,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Grant, TokenError> {
        let (sent, grants) = (Timestamp::now(), self.grants());
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = grants.exchange_refresh_token(&token);
        for (name, value) in asked(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        self.answered(request.request_async(self).await, sent)
    }

    /// Gets a token for the client itself (RFC 6749 § 4.4).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Grant, TokenError> {
        let (sent, grants) = (Timestamp::now(), self.grants());
        let mut request = grants.exchange_client_credentials();
        for (name, value) in asked(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        self.answered(request.request_async(self).await, sent)
    }

    /// Gets a token for what another server asserts (RFC 7523 § 2.1).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] when the assertion is not taken; others.
    pub async fn jwt_bearer(
        &self,
        assertion: &Secret,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Grant, TokenError> {
        let mut form = asked(scope, resource);
        form.push(("grant_type".into(), JWT_BEARER.into()));
        form.push(("assertion".into(), assertion.expose().into()));
        self.token(&form).await
    }

    /// Takes a token back (RFC 7009 § 2.1); `hint` is `refresh_token` or `access_token`.
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] when the server cannot; others.
    pub async fn revoke(&self, token: &Secret, hint: &'static str) -> Result<(), TokenError> {
        let endpoint = self.server.revocation_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.unsupported("way to take tokens back"))?;
        let form: Form<'_> = vec![
            ("token".into(), token.expose().into()),
            ("token_type_hint".into(), hint.into()),
        ];
        let endpoint = self.endpoint(endpoint)?;
        match (Endpoint {
            dpop: None,
            ..endpoint
        })
        .post(&form)
        .await
        {
            // It is as good as taken back (RFC 7009 § 2.2).
            Err(TokenError::InvalidGrant { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Posts a form for a token that the library has no request for.
    async fn token(&self, form: &Form<'_>) -> Result<Grant, TokenError> {
        let sent = Timestamp::now();
        let body = self
            .endpoint(&self.server.token_endpoint)?
            .ask(form)
            .await?;
        let answer = read(&body, self.server.token_endpoint.as_url())?;
        self.granted(answer, sent)
    }

    fn endpoint<'a>(&'a self, url: &'a EndpointUrl) -> Result<Endpoint<'a>, TokenError> {
        let supported = &self.server.features.token_endpoint_auth_methods_supported;
        Ok(Endpoint {
            clients: self.clients,
            url: url.as_url(),
            client_id: &self.client.client_id,
            credentials: Credentials::of(self.client, self.key, supported.as_deref())?,
            audience: self.server.issuer.as_str(),
            dpop: self.dpop,
        })
    }

    fn granted(&self, answer: Answer, sent: Timestamp) -> Result<Grant, TokenError> {
        let grant = answer.into_grant(sent, self.dpop.is_some());
        grant.map_err(|fault| self.malformed(fault))
    }

    fn malformed(&self, fault: &str) -> TokenError {
        TokenError::Malformed {
            server: self.server.token_endpoint.to_string(),
            fault: fault.to_owned(),
        }
    }

    fn unsupported(&self, what: &'static str) -> TokenError {
        TokenError::Unsupported {
            issuer: self.server.issuer.to_string(),
            what,
        }
    }
}

/// What may be asked for everywhere.
fn asked<'a>(scope: Option<&'a str>, resource: Option<&'a str>) -> Form<'a> {
    let scope = scope.filter(|scope| !scope.is_empty());
    let parts = [("scope", scope), ("resource", resource)];
    let given = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    given
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Reads an answer that the library does not.
pub(super) fn read<'a, T: serde::Deserialize<'a>>(
    body: &'a Bytes,
    url: &Url,
) -> Result<T, TokenError> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error, url))
}

/// Says where an answer is broken. The error itself may quote a secret.
fn unreadable(error: &serde_json::Error, url: &Url) -> TokenError {
    let fault = match error.classify() {
        serde_json::error::Category::Data => "it lacks what such an answer has",
        _ => "it is no JSON",
    };
    TokenError::Malformed {
        server: without_query(url).into(),
        fault: fault.to_owned(),
    }
}
