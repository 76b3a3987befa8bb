//! One request for tokens: the client, the authorization server, and the client's keys.

use super::client_registration::resolve_client;
use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::server_discovery::{needs_dpop, requested_resource, requested_scope};
use crate::net::Clients;
use crate::oauth::authority::dpop::DpopKey;
use crate::oauth::authority::signing::SigningKey;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::discovery::Discovered;
use crate::oauth::sign_in::SignInError;
use crate::oauth::tokens::{ClientInformation, Members, TokenResponse, Tokens};

/// A client at a discovered authorization server, with its keys.
pub(crate) struct TokenRequest {
    pub(crate) discovered: Discovered,
    pub(crate) client: ClientInformation,
    key: Option<SigningKey>,
    /// The key to bind new tokens to, if any (RFC 9449).
    dpop: Option<DpopKey>,
}

impl TokenRequest {
    /// Prepares a request for new tokens; with `dpop`, for tokens bound to a new key.
    pub(crate) fn new(
        context: &CredentialContext,
        discovered: Discovered,
        client: ClientInformation,
        dpop: bool,
    ) -> Result<Self, SignInError> {
        let dpop = dpop.then(DpopKey::generate).transpose();
        Ok(Self {
            discovered,
            client,
            key: signing_key(context)?,
            dpop: dpop.map_err(TokenError::from)?,
        })
    }

    /// Prepares a request of a grant without redirect. Returns the scope to request with it.
    pub(crate) async fn new_without_redirect(
        context: &CredentialContext,
        discovered: Discovered,
        demand: &TokenDemand,
    ) -> Result<(Self, Option<String>), SignInError> {
        let scope = requested_scope(context, &discovered, demand);
        let client = resolve_client(context, &discovered, None, scope.as_deref()).await?;
        let dpop = needs_dpop(&discovered, demand);
        Ok((Self::new(context, discovered, client, dpop)?, scope))
    }

    /// Returns the authorization server, for requests as this client.
    pub(crate) fn authority<'a>(&'a self, clients: &'a Clients) -> Authority<'a> {
        Authority {
            clients,
            server: &self.discovered.authorization_server,
            client: &self.client,
            key: self.key.as_ref(),
            dpop: self.dpop.as_ref(),
        }
    }

    /// Stores the issued tokens, and uses them.
    pub(crate) async fn store_tokens(
        &self,
        context: &CredentialContext,
        response: TokenResponse,
        requested_scope: Option<String>,
    ) -> Result<(), SignInError> {
        // A server may ignore the key (RFC 9449 § 5).
        let is_bound = response.token_type.eq_ignore_ascii_case("dpop");
        let key = self.dpop.as_ref().filter(|_| is_bound);
        let tokens = Tokens {
            issuer: self.discovered.authorization_server.issuer.to_string(),
            resource: requested_resource(context, &self.discovered),
            client_id: self.client.client_id.clone(),
            access_token: response.access_token,
            token_type: response.token_type,
            expires_at: response.expires_at,
            issued_at: Some(response.issued_at),
            refresh_token: response.refresh_token,
            // A response without `scope` grants the requested one (RFC 6749 § 5.1).
            scope: response.scope.or(requested_scope),
            dpop_key: key.map(|key| key.secret().clone()),
            other: Members::default(),
        };
        let written = context.store.tokens().put(tokens).await?;
        context.update_cache(written);
        Ok(())
    }
}

/// Returns the client's signing key, if configured.
fn signing_key(context: &CredentialContext) -> Result<Option<SigningKey>, SignInError> {
    let key = context.settings.private_key.as_ref();
    let key = key.map(|key| SigningKey::new(&key.pem, &key.algorithm));
    Ok(key.transpose().map_err(TokenError::from)?)
}
