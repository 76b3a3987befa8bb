//! The address a person is sent to for a sign-in (RFC 6749 § 4.1.1), and what must be kept of it.

use std::borrow::Cow;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use url::Url;

use crate::config::{Pkce, Secret};
use crate::oauth::discovery::metadata::AuthorizationServer;
use crate::oauth::error::OAuthError;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    /// Our name there.
    pub client_id: &'a str,
    /// Where the answer is to go, to the letter as registered.
    pub redirect_uri: &'a str,
    /// The scope, by spaces; none and an empty one are left out.
    pub scope: Option<&'a str>,
    /// What the token is for (RFC 8707 § 2).
    pub resource: Option<&'a str>,
    /// More parameters, none of those above (`authorize_params`).
    pub params: &'a [(String, String)],
    /// Whether the server must say that it has PKCE.
    pub pkce: Pkce,
}

/// A sign-in that can begin.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// Where the person goes.
    pub url: Url,
    /// What tells the answer to this request from all others (RFC 6749 § 10.12).
    pub state: Secret,
    /// What the code is of no use without (RFC 7636 § 4.1).
    pub verifier: Secret,
}

impl AuthorizationRequest {
    /// Makes one that is like no other.
    ///
    /// # Errors
    /// [`OAuthError::NoSignInPage`], [`OAuthError::NoPkce`]; [`OAuthError::Address`] when the
    /// redirect URI is no address.
    pub fn new(server: &AuthorizationServer, wanted: &Parameters<'_>) -> Result<Self, OAuthError> {
        let endpoint = server.authorization_endpoint(wanted.pkce)?.as_url();
        let redirect = RedirectUrl::new(wanted.redirect_uri.to_owned());
        let redirect = redirect.map_err(|_| OAuthError::Address {
            member: "redirect_uri",
            text: wanted.redirect_uri.to_owned(),
            fault: "which cannot be read as an address",
        })?;
        let client = BasicClient::new(ClientId::new(wanted.client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(endpoint.clone()));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .set_redirect_uri(Cow::Owned(redirect))
            .set_pkce_challenge(challenge);
        if let Some(scope) = wanted.scope.filter(|scope| !scope.is_empty()) {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if let Some(resource) = wanted.resource {
            request = request.add_extra_param("resource", resource);
        }
        for (name, value) in wanted.params {
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
    /// Leaves out the address, as `state` is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorizationRequest(…)")
    }
}

#[cfg(test)]
mod tests;
