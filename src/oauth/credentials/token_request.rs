//! One request for tokens: the client that makes it, at which authorization server, and its keys.

use super::client_registration::client_for;
use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::server_discovery::{needs_dpop, requested_resource, requested_scope};
use crate::net::Clients;
use crate::oauth::authority::dpop::DpopKey;
use crate::oauth::authority::signing::SigningKey;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::discovery::Discovered;
use crate::oauth::sign_in::SignInError;
use crate::oauth::tokens::{Client, Grant, Members, Tokens};

/// A client of ours at a server that was found, with what it proves itself by.
pub(crate) struct TokenRequest {
    pub(crate) found: Discovered,
    pub(crate) client: Client,
    key: Option<SigningKey>,
    /// What new tokens are bound to, if they are (RFC 9449).
    dpop: Option<DpopKey>,
}

impl TokenRequest {
    /// Prepares a request for new tokens; `dpop`: for some that are bound to a key.
    pub(crate) fn new(
        context: &CredentialContext,
        found: Discovered,
        client: Client,
        dpop: bool,
    ) -> Result<Self, SignInError> {
        let dpop = dpop.then(DpopKey::generate).transpose();
        Ok(Self {
            found,
            client,
            key: signing_key(context)?,
            dpop: dpop.map_err(TokenError::from)?,
        })
    }

    /// Prepares a request for what is needed without a browser that comes back. Returns it with the scope to ask for.
    pub(crate) async fn without_redirect(
        context: &CredentialContext,
        found: Discovered,
        demand: &TokenDemand,
    ) -> Result<(Self, Option<String>), SignInError> {
        let scope = requested_scope(context, &found, demand);
        let client = client_for(context, &found, None, scope.as_deref()).await?;
        let dpop = needs_dpop(&found, demand);
        Ok((Self::new(context, found, client, dpop)?, scope))
    }

    /// The authorization server, asked as this client.
    pub(crate) fn authority<'a>(&'a self, clients: &'a Clients) -> Authority<'a> {
        Authority {
            clients,
            server: &self.found.authorization_server,
            client: &self.client,
            key: self.key.as_ref(),
            dpop: self.dpop.as_ref(),
        }
    }

    /// Writes the tokens down that were granted, and uses them.
    pub(crate) async fn keep(
        &self,
        context: &CredentialContext,
        grant: Grant,
        asked: Option<String>,
    ) -> Result<(), SignInError> {
        // A server may ignore the key (RFC 9449 § 5).
        let is_bound = grant.token_type.eq_ignore_ascii_case("dpop");
        let key = self.dpop.as_ref().filter(|_| is_bound);
        let tokens = Tokens {
            issuer: self.found.authorization_server.issuer.to_string(),
            resource: requested_resource(context, &self.found),
            client_id: self.client.client_id.clone(),
            access_token: grant.access_token,
            token_type: grant.token_type,
            expires_at: grant.expires_at,
            issued_at: Some(grant.issued_at),
            refresh_token: grant.refresh_token,
            // What is left out is as it was asked for (RFC 6749 § 5.1).
            scope: grant.scope.or(asked),
            dpop_key: key.map(|key| key.secret().clone()),
            other: Members::default(),
        };
        let written = context.store.tokens().put(tokens).await?;
        context.adopt(written);
        Ok(())
    }
}

/// What the client signs with.
fn signing_key(context: &CredentialContext) -> Result<Option<SigningKey>, SignInError> {
    let key = context.settings.private_key.as_ref();
    let key = key.map(|key| SigningKey::new(&key.pem, &key.algorithm));
    Ok(key.transpose().map_err(TokenError::from)?)
}
