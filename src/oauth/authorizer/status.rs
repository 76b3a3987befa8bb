//! What is stored of a login, and its end.

use crate::oauth::credentials::client_registration::client_named;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::credentials::server_discovery::{server_cache, server_of};
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::logins::Logins;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Record, RecordFile, StoreError, Swap, Version};
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

/// What is stored; none when nobody has signed in.
///
/// # Errors
/// [`SignInError::Store`].
pub(super) async fn status(context: &CredentialContext) -> Result<Option<Status>, SignInError> {
    context.reload().await?;
    Ok(context.cached().map(|current| {
        let tokens = &current.tokens;
        Status {
            issuer: tokens.issuer.clone(),
            client_id: tokens.client_id.clone(),
            scope: tokens.scope.clone(),
            expires_at: tokens.expires_at,
            renewable: context.can_renew(&current),
        }
    }))
}

/// Revokes the tokens where the server can (RFC 7009), then deletes all that is stored.
///
/// # Errors
/// [`SignInError::Store`]: the login is still there.
pub(super) async fn log_out(context: &CredentialContext) -> Result<LoggedOut, SignInError> {
    let end = end_tokens(context).await?;
    let logins = context.logins().load().await?.record;
    let others = [
        forget(&context.store.client()).await?,
        forget(&server_cache(context)).await?,
        logins.is_some_and(|logins| logins != Logins::signed_out()),
    ];
    if end == LoggedOut::Nothing && !others.contains(&true) {
        return Ok(end);
    }
    // Otherwise the next request would open a page.
    context.logins().put(Logins::signed_out()).await?;
    match end {
        LoggedOut::Nothing => Ok(LoggedOut::Forgotten),
        end => Ok(end),
    }
}

/// Ends the tokens that are there, and those that somebody gets meanwhile.
async fn end_tokens(context: &CredentialContext) -> Result<LoggedOut, SignInError> {
    let file = context.store.tokens();
    let (mut seen, mut end) = (file.load().await?, LoggedOut::Nothing);
    if seen.version == Version::NONE {
        return Ok(end);
    }
    // Who renews them just now finishes first.
    let _lock = context.lock_renewal().await?;
    loop {
        seen = match seen.is_current() {
            true => seen,
            false => file.load().await?,
        };
        if let Some(tokens) = &seen.record {
            end = match revoke(context, tokens).await {
                Ok(()) => LoggedOut::Revoked,
                Err(why) => LoggedOut::NotRevoked(why),
            };
        }
        match file.remove(seen.version).await? {
            Swap::Done(_) => return Ok(end),
            Swap::Lost(there) => seen = there,
        }
    }
}

/// Revokes tokens; on failure says why they stay good, as a clause.
async fn revoke(context: &CredentialContext, tokens: &Tokens) -> Result<(), String> {
    let found = server_of(context, &tokens.issuer).await;
    let found = found.map_err(|error| error.to_string())?;
    let client = client_named(context, &tokens.issuer, &tokens.client_id).await;
    let client = client.map_err(|error| error.to_string())?;
    let client = client.ok_or("the client that they were issued to is gone")?;
    let request = TokenRequest::new(context, found, client, false);
    let request = request.map_err(|error| error.to_string())?;
    let authority = request.authority(&context.clients);
    // With the refresh token goes all that was issued with it (RFC 7009 § 2.1).
    let revoked = match &tokens.refresh_token {
        Some(token) => authority.revoke(token, "refresh_token").await,
        None => authority.revoke(&tokens.access_token, "access_token").await,
    };
    revoked.map_err(|error| error.to_string())
}

/// Deletes a file, whatever is in it. Says whether there was one.
async fn forget<T: Record>(file: &RecordFile<T>) -> Result<bool, StoreError> {
    let mut seen = file.load().await?;
    let was_there = seen.version != Version::NONE;
    // Without a file nothing is touched, and no folder made.
    while seen.version != Version::NONE {
        match file.remove(seen.version).await? {
            Swap::Done(_) => break,
            Swap::Lost(there) => seen = there,
        }
    }
    Ok(was_there)
}
