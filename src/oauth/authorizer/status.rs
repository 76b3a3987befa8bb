//! What is stored of a login, and its end.

use super::Authorizer;
use crate::oauth::SignInError;
use crate::oauth::credentials::renewal::PATIENCE;
use crate::oauth::login::logins::Logins;
use crate::oauth::store::{Record, RecordFile, StoreError, Swap, Task, Version};
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

/// What came of the end of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedOut {
    /// There was nothing.
    Nothing,
    /// There were no tokens; what else was stored is deleted.
    Forgotten,
    /// The server took the tokens back, and all is deleted.
    Revoked,
    /// All is deleted, but the tokens are good until they end; why, as a clause.
    NotRevoked(String),
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
    ///
    /// # Errors
    /// [`SignInError::Store`]: the login is still there.
    pub async fn log_out(&self) -> Result<LoggedOut, SignInError> {
        let end = self.end_tokens().await?;
        let logins = self.logins().load().await?.record;
        let others = [
            forget(&self.store.client()).await?,
            forget(&self.known()).await?,
            logins.is_some_and(|logins| logins != Logins::signed_out()),
        ];
        if end == LoggedOut::Nothing && !others.contains(&true) {
            return Ok(end);
        }
        // Otherwise the next request would open a page.
        self.logins().put(Logins::signed_out()).await?;
        match end {
            LoggedOut::Nothing => Ok(LoggedOut::Forgotten),
            end => Ok(end),
        }
    }

    /// Ends the tokens that are there, and those that somebody gets meanwhile.
    async fn end_tokens(&self) -> Result<LoggedOut, SignInError> {
        let slot = self.store.tokens();
        let (mut seen, mut end) = (slot.load().await?, LoggedOut::Nothing);
        if seen.version == Version::NONE {
            return Ok(end);
        }
        // Who renews them just now finishes first.
        let _lock = self.store.lock(Task::Refresh, PATIENCE).await?;
        loop {
            seen = match seen.is_current() {
                true => seen,
                false => slot.load().await?,
            };
            if let Some(tokens) = &seen.record {
                end = match self.revoke(tokens).await {
                    Ok(()) => LoggedOut::Revoked,
                    Err(why) => LoggedOut::NotRevoked(why),
                };
            }
            match slot.remove(seen.version).await? {
                Swap::Done(_) => return Ok(end),
                Swap::Lost(there) => seen = there,
            }
        }
    }

    /// Revokes tokens; on failure says why they stay good, as a clause.
    async fn revoke(&self, tokens: &Tokens) -> Result<(), String> {
        let found = self.server_of(&tokens.issuer).await;
        let found = found.map_err(|error| error.to_string())?;
        let client = self.client_named(&tokens.issuer, &tokens.client_id).await;
        let client = client.map_err(|error| error.to_string())?;
        let client = client.ok_or("the client that they were issued to is gone")?;
        let applicant = self.applicant(found, client, false);
        let applicant = applicant.map_err(|error| error.to_string())?;
        let authority = applicant.authority(&self.around.clients);
        // With the refresh token goes all that was issued with it (RFC 7009 § 2.1).
        let revoked = match &tokens.refresh_token {
            Some(token) => authority.revoke(token, "refresh_token").await,
            None => authority.revoke(&tokens.access_token, "access_token").await,
        };
        revoked.map_err(|error| error.to_string())
    }
}

/// Deletes a file, whatever is in it. Says whether there was one.
async fn forget<T: Record>(slot: &RecordFile<T>) -> Result<bool, StoreError> {
    let mut seen = slot.load().await?;
    let was_there = seen.version != Version::NONE;
    // Without a file nothing is touched, and no folder made.
    while seen.version != Version::NONE {
        match slot.remove(seen.version).await? {
            Swap::Done(_) => break,
            Swap::Lost(there) => seen = there,
        }
    }
    Ok(was_there)
}
