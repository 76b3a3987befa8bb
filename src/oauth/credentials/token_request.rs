//! Who asks which authorization server for tokens, and what becomes of them.

use crate::net::Clients;
use crate::oauth::SignInError;
use crate::oauth::authority::dpop::DpopKey;
use crate::oauth::authority::signing::SigningKey;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::discovery::Discovered;
use crate::oauth::tokens::{Client, Grant, Members, Tokens};

/// A client of ours at a server that was found, with what it proves itself by.
pub(in crate::oauth) struct TokenRequest {
    pub(in crate::oauth) found: Discovered,
    pub(in crate::oauth) client: Client,
    key: Option<SigningKey>,
    /// What new tokens are bound to, if they are (RFC 9449).
    dpop: Option<DpopKey>,
}

impl TokenRequest {
    pub(in crate::oauth) fn authority<'a>(&'a self, clients: &'a Clients) -> Authority<'a> {
        Authority {
            clients,
            server: &self.found.authorization_server,
            client: &self.client,
            key: self.key.as_ref(),
            dpop: self.dpop.as_ref(),
        }
    }
}

impl Authorizer {
    /// A client that asks for new tokens; `dpop`: for some that are bound to a key.
    pub(in crate::oauth) fn applicant(
        &self,
        found: Discovered,
        client: Client,
        dpop: bool,
    ) -> Result<TokenRequest, SignInError> {
        let dpop = dpop.then(DpopKey::generate).transpose();
        Ok(TokenRequest {
            found,
            client,
            key: self.signing_key()?,
            dpop: dpop.map_err(TokenError::from)?,
        })
    }

    /// A client that asks for what is needed without a browser that comes back, and the scope to ask for.
    pub(in crate::oauth) async fn apply(
        &self,
        found: Discovered,
        demand: &TokenDemand,
    ) -> Result<(TokenRequest, Option<String>), SignInError> {
        let scope = self.scope(&found, demand);
        let client = self.client_at(&found, None, scope.as_deref()).await?;
        let dpop = Self::needs_dpop(&found, demand);
        Ok((self.applicant(found, client, dpop)?, scope))
    }

    /// What the client signs with.
    fn signing_key(&self) -> Result<Option<SigningKey>, SignInError> {
        let key = self.config.private_key.as_ref();
        let key = key.map(|key| SigningKey::new(&key.pem, &key.algorithm));
        Ok(key.transpose().map_err(TokenError::from)?)
    }

    /// Writes new tokens down, and uses them.
    pub(in crate::oauth) async fn keep(
        &self,
        applicant: &TokenRequest,
        grant: Grant,
        asked: Option<String>,
    ) -> Result<(), SignInError> {
        // A server may ignore the key (RFC 9449 § 5).
        let is_bound = grant.token_type.eq_ignore_ascii_case("dpop");
        let key = applicant.dpop.as_ref().filter(|_| is_bound);
        let tokens = Tokens {
            issuer: applicant.found.authorization_server.issuer.to_string(),
            resource: self.resource(&applicant.found),
            client_id: applicant.client.client_id.clone(),
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
        let written = self.store.tokens().put(tokens).await?;
        self.adopt(written);
        Ok(())
    }
}
