//! One request for tokens: the client that makes it, at which authorization server, and its keys.

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

/// A client of ours at a server that was found, with what it proves itself by.
pub(crate) struct TokenRequest {
    pub(crate) discovered: Discovered,
    pub(crate) client: ClientInformation,
    key: Option<SigningKey>,
    /// What new tokens are bound to, if they are (RFC 9449).
    dpop: Option<DpopKey>,
}

impl TokenRequest {
    /// Prepares a request for new tokens; `dpop`: for some that are bound to a key.
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

    /// Prepares a request for what is needed without a browser that comes back. Returns it with the scope to ask for.
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

    /// The authorization server, asked as this client.
    pub(crate) fn authority<'a>(&'a self, clients: &'a Clients) -> Authority<'a> {
        Authority {
            clients,
            server: &self.discovered.authorization_server,
            client: &self.client,
            key: self.key.as_ref(),
            dpop: self.dpop.as_ref(),
        }
    }

    /// Writes the tokens down that were granted, and uses them.
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
            // What is left out is as it was asked for (RFC 6749 § 5.1).
            scope: response.scope.or(requested_scope),
            dpop_key: key.map(|key| key.secret().clone()),
            other: Members::default(),
        };
        let written = context.store.tokens().put(tokens).await?;
        context.update_cache(written);
        Ok(())
    }
}

/// What the client signs with.
fn signing_key(context: &CredentialContext) -> Result<Option<SigningKey>, SignInError> {
    let key = context.settings.private_key.as_ref();
    let key = key.map(|key| SigningKey::new(&key.pem, &key.algorithm));
    Ok(key.transpose().map_err(TokenError::from)?)
}
