//! Requests tokens from an authorization server as one client.
//!
//! Every request uses the client's registered authentication method and follows no redirect. The
//! response is limited in size and time. No error contains a secret.

mod client_authentication;
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
mod token_response;

use std::borrow::Cow;

use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl, RefreshToken};

use super::address::EndpointUrl;
use super::discovery::metadata::AuthorizationServer;
use super::tokens::{ClientInformation, Timestamp, TokenResponse};
use crate::config::Secret;
use crate::net::Clients;
use client_authentication::ClientAuthentication;
use dpop::DpopKey;
use form::{Form, scope_and_resource};
use form_post::Endpoint;
use oauth2_crate::{oauth2_client, response_body};
use signing::SigningKey;

pub use device::DeviceAuthorization;
pub use error::TokenError;
pub use registration::{ClientMetadata, register};

/// The grant type of an assertion (RFC 7523 § 2.1).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One client at one authorization server.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// Makes the HTTP connections.
    pub clients: &'a Clients,
    /// The authorization server.
    pub server: &'a AuthorizationServer,
    /// The client information registered with the server.
    pub client: &'a ClientInformation,
    /// The client's signing key, if it has one (`private_key_jwt`, RFC 7523 § 2.2).
    pub key: Option<&'a SigningKey>,
    /// The key to bind tokens to, if any (RFC 9449).
    pub dpop: Option<&'a DpopKey>,
}

impl Authority<'_> {
    /// Exchanges an authorization code for tokens (RFC 6749 § 4.1.3, RFC 7636 § 4.5).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] if the server rejects the code; others.
    pub async fn exchange_code(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
        resource: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let endpoint = self.token_endpoint()?;
        let redirect = RedirectUrl::new(redirect_uri.to_owned());
        let redirect =
            redirect.map_err(|_| endpoint.malformed("the redirect URI is not an address"))?;
        let (sent_at, client) = (Timestamp::now(), oauth2_client(&endpoint));
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        for (name, value) in scope_and_resource(None, resource) {
            request = request.add_extra_param(name, value);
        }
        let result = request.request_async(&endpoint).await;
        endpoint.token_response(response_body(result, &endpoint)?, sent_at)
    }

    /// Refreshes the access token (RFC 6749 § 6).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] if the server rejects the refresh token; others.
    pub async fn refresh(
        &self,
        refresh_token: &Secret,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let endpoint = self.token_endpoint()?;
        let (sent_at, client) = (Timestamp::now(), oauth2_client(&endpoint));
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = client.exchange_refresh_token(&token);
        for (name, value) in scope_and_resource(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        let result = request.request_async(&endpoint).await;
        endpoint.token_response(response_body(result, &endpoint)?, sent_at)
    }

    /// Requests a token for the client itself (RFC 6749 § 4.4).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let endpoint = self.token_endpoint()?;
        let (sent_at, client) = (Timestamp::now(), oauth2_client(&endpoint));
        let mut request = client.exchange_client_credentials();
        for (name, value) in scope_and_resource(scope, resource) {
            request = request.add_extra_param(name, value);
        }
        let result = request.request_async(&endpoint).await;
        endpoint.token_response(response_body(result, &endpoint)?, sent_at)
    }

    /// Exchanges another server's assertion for a token (RFC 7523 § 2.1).
    ///
    /// # Errors
    /// [`TokenError::InvalidGrant`] if the server rejects the assertion; others.
    pub async fn jwt_bearer(
        &self,
        assertion: &Secret,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let mut form = scope_and_resource(scope, resource);
        form.push(("grant_type".into(), JWT_BEARER.into()));
        form.push(("assertion".into(), assertion.expose().into()));
        self.token_endpoint()?.token(&form).await
    }

    /// Revokes a token (RFC 7009 § 2.1); `hint` is `refresh_token` or `access_token`.
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] if the server has no revocation endpoint; others.
    pub async fn revoke(&self, token: &Secret, hint: &'static str) -> Result<(), TokenError> {
        let endpoint = self.server.revocation_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.unsupported("token revocation"))?;
        let form: Form<'_> = vec![
            ("token".into(), token.expose().into()),
            ("token_type_hint".into(), hint.into()),
        ];
        let endpoint = self.endpoint(endpoint)?;
        match (Endpoint {
            dpop: None,
            ..endpoint
        })
        .post_form(&form)
        .await
        {
            // An invalid token counts as revoked (RFC 7009 § 2.2).
            Err(TokenError::InvalidGrant { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Starts a device authorization, which the user completes on any device (RFC 8628 § 3.1).
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] if the server has no device flow; [`TokenError::Malformed`] if
    /// its verification address must not be used; others.
    pub async fn device_authorization(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<DeviceAuthorization, TokenError> {
        let endpoint = self.server.device_authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.unsupported("device flow"))?;
        let endpoint = Endpoint {
            dpop: None,
            ..self.endpoint(endpoint)?
        };
        DeviceAuthorization::request(&endpoint, &self.server.issuer, scope, resource).await
    }

    /// Polls at the server's pace until the user has signed in (RFC 8628 § 3.4).
    ///
    /// # Errors
    /// [`TokenError::Denied`], [`TokenError::Expired`]; others, but no transient one.
    pub async fn device_token(
        &self,
        authorization: &DeviceAuthorization,
    ) -> Result<TokenResponse, TokenError> {
        authorization.wait_for_token(&self.token_endpoint()?).await
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
            authentication: ClientAuthentication::choose(
                self.client,
                self.key,
                supported.as_deref(),
            )?,
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
