//! The authorization request (RFC 6749 § 4.1.1), and the values to keep for its response.

use std::borrow::Cow;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use url::Url;

use crate::config::{Pkce, Secret};
use crate::oauth::discovery::metadata::AuthorizationServer;
use crate::oauth::error::DiscoveryError;

/// The parameters of an authorization request.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationParameters<'a> {
    /// The client's id at this server.
    pub client_id: &'a str,
    /// The redirect URI, exactly as registered.
    pub redirect_uri: &'a str,
    /// The scope, separated by spaces; omitted if absent or empty.
    pub scope: Option<&'a str>,
    /// The resource that the token is for (RFC 8707 § 2).
    pub resource: Option<&'a str>,
    /// Additional parameters, none of those above (`authorize_params`).
    pub extra_params: &'a [(String, String)],
    /// Whether the server must advertise PKCE.
    pub pkce: Pkce,
}

/// An authorization request that is ready to open.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The page to open.
    pub url: Url,
    /// Binds the response to this request (RFC 6749 § 10.12).
    pub state: Secret,
    /// The PKCE verifier: the code is useless without it (RFC 7636 § 4.1).
    pub verifier: Secret,
}

impl AuthorizationRequest {
    /// Makes a request with a new `state` and PKCE verifier.
    ///
    /// # Errors
    /// [`DiscoveryError::NoSignInPage`], [`DiscoveryError::NoPkce`]; [`DiscoveryError::Address`] if
    /// the redirect URI is no address.
    pub fn new(
        server: &AuthorizationServer,
        parameters: &AuthorizationParameters<'_>,
    ) -> Result<Self, DiscoveryError> {
        let endpoint = server.authorization_endpoint(parameters.pkce)?.as_url();
        let redirect = RedirectUrl::new(parameters.redirect_uri.to_owned());
        let redirect = redirect.map_err(|_| DiscoveryError::Address {
            member: "redirect_uri",
            text: parameters.redirect_uri.to_owned(),
            fault: "which is not a valid address",
        })?;
        let client = BasicClient::new(ClientId::new(parameters.client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(endpoint.clone()));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .set_redirect_uri(Cow::Owned(redirect))
            .set_pkce_challenge(challenge);
        if let Some(scope) = parameters.scope.filter(|scope| !scope.is_empty()) {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if let Some(resource) = parameters.resource {
            request = request.add_extra_param("resource", resource);
        }
        for (name, value) in parameters.extra_params {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(Self {
            url,
            state: Secret::new(state.into_secret()),
            verifier: Secret::new(verifier.into_secret()),
        })
    }
}

impl std::fmt::Debug for AuthorizationRequest {
    /// Omits the address, since it contains `state`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorizationRequest(…)")
    }
}

#[cfg(test)]
mod tests;
