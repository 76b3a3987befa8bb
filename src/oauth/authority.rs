//! Asks an authorization server for tokens, as one client.
//!
//! Every request says who the client is in the way it was registered for, takes one bounded
//! answer, follows no redirect, and puts no secret into an error.

mod answer;
mod credentials;
mod device;
pub(in crate::oauth) mod dpop;
mod error;
mod form;
mod form_post;
pub(in crate::oauth) mod id_assertion;
mod oauth2_crate;
mod registration;
pub(in crate::oauth) mod request;
pub(in crate::oauth) mod signing;

use std::borrow::Cow;

use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl, RefreshToken};

use super::address::EndpointUrl;
use super::discovery::metadata::AuthorizationServer;
use super::tokens::{Client, Grant, Timestamp};
use crate::config::Secret;
use crate::net::Clients;
use credentials::Credentials;
use dpop::DpopKey;
use form::{Form, asked};
use form_post::Endpoint;
use oauth2_crate::{grants, outcome};
use signing::SigningKey;

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
        let endpoint = self.token_endpoint()?;
        let redirect = RedirectUrl::new(redirect_uri.to_owned());
        let redirect =
            redirect.map_err(|_| endpoint.malformed("the redirect URI is no address"))?;
        let (sent, grants) = (Timestamp::now(), grants(&endpoint));
        let mut request = grants
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        for (name, value) in asked(None, resource) {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&endpoint).await;
        endpoint.granted(outcome(answer, &endpoint)?, sent)
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
        let endpoint = self.token_endpoint()?;
        let (sent, grants) = (Timestamp::now(), grants(&endpoint));
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = grants.exchange_refresh_token(&token);
        for (name, value) in asked(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&endpoint).await;
        endpoint.granted(outcome(answer, &endpoint)?, sent)
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
        let endpoint = self.token_endpoint()?;
        let (sent, grants) = (Timestamp::now(), grants(&endpoint));
        let mut request = grants.exchange_client_credentials();
        for (name, value) in asked(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&endpoint).await;
        endpoint.granted(outcome(answer, &endpoint)?, sent)
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
        self.token_endpoint()?.token(&form).await
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

    /// Begins a sign-in that a person finishes on any device (RFC 8628 § 3.1).
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] when the server has none; [`TokenError::Malformed`] when it
    /// sends the person to an address that must not be used; others.
    pub async fn device_authorization(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<DeviceAuthorization, TokenError> {
        let endpoint = self.server.device_authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.unsupported("sign-in by device"))?;
        let endpoint = Endpoint {
            dpop: None,
            ..self.endpoint(endpoint)?
        };
        DeviceAuthorization::request(&endpoint, &self.server.issuer, scope, resource).await
    }

    /// Waits for the person (RFC 8628 § 3.4), as patiently as the server wants.
    ///
    /// # Errors
    /// [`TokenError::Denied`], [`TokenError::Expired`]; others, but none that is transient.
    pub async fn device_token(&self, asked: &DeviceAuthorization) -> Result<Grant, TokenError> {
        asked.token(&self.token_endpoint()?).await
    }

    fn token_endpoint(&self) -> Result<Endpoint<'_>, TokenError> {
        self.endpoint(&self.server.token_endpoint)
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

    fn unsupported(&self, what: &'static str) -> TokenError {
        TokenError::Unsupported {
            issuer: self.server.issuer.to_string(),
            what,
        }
    }
}
