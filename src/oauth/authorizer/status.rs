//! What is stored of a login, and its end.

use super::Authorizer;
use super::server::put;
use crate::oauth::SignInError;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::logins::Logins;
use crate::oauth::store::Swap;
use crate::oauth::tokens::{Timestamp, Tokens};

/// What is known of a login without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Who issued the tokens.
    pub issuer: String,
    /// The client that they were issued to.
    pub client_id: String,
    /// What was granted, by spaces.
    pub scope: Option<String>,
    /// When the access token ends, as far as known.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be renewed without a person.
    pub renewable: bool,
}

impl Authorizer {
    /// What is stored; none when nobody has signed in.
    ///
    /// # Errors
    /// [`SignInError::Store`].
    pub async fn status(&self) -> Result<Option<Status>, SignInError> {
        self.reload().await?;
        Ok(self.held().map(|held| {
            let tokens = &held.tokens;
            Status {
                issuer: tokens.issuer.clone(),
                client_id: tokens.client_id.clone(),
                scope: tokens.scope.clone(),
                expires_at: tokens.expires_at,
                renewable: self.can_renew(&held),
            }
        }))
    }

    /// Revokes the tokens where the server can (RFC 7009), then deletes all that is stored.
    /// Says whether there was anything; what kept the server from revoking is the second part.
    ///
    /// # Errors
    /// [`SignInError::Store`]: the login is still there.
    pub async fn log_out(&self) -> Result<(bool, Option<SignInError>), SignInError> {
        let tokens = self.store.tokens();
        let mut seen = tokens.load().await?;
        let trouble = match &seen.record {
            Some(stored) => self.revoke(stored).await.err(),
            None => None,
        };
        let was_there = seen.record.is_some();
        while let Swap::Lost(there) = tokens.remove(seen.version).await? {
            seen = there;
        }
        let client = self.store.client();
        let mut seen = client.load().await?;
        while let Swap::Lost(there) = client.remove(seen.version).await? {
            seen = there;
        }
        // Otherwise the next request would open a page.
        put(&self.logins(), Logins::signed_out()).await?;
        self.forget_server().await?;
        Ok((was_there, trouble))
    }

    async fn revoke(&self, tokens: &Tokens) -> Result<(), SignInError> {
        let found = self.server_of(&tokens.issuer).await?;
        let client = self.client_named(&tokens.issuer, &tokens.client_id).await?;
        let Some(client) = client else {
            return Ok(());
        };
        let key = self.signing_key()?;
        let authority = Authority {
            clients: &self.around.clients,
            server: &found.authorization_server,
            client: &client,
            key: key.as_ref(),
            dpop: None,
        };
        // With the refresh token goes all that was issued with it (RFC 7009 § 2.1).
        let revoked = match &tokens.refresh_token {
            Some(token) => authority.revoke(token, "refresh_token").await,
            None => authority.revoke(&tokens.access_token, "access_token").await,
        };
        match revoked {
            Err(TokenError::Unsupported { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
