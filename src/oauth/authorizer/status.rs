//! What is stored of a login, and its end.

use crate::oauth::credentials::client_registration::find_client;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::credentials::server_discovery::{server_cache, server_for_issuer};
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::login_record::LoginRecord;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Record, RecordFile, StoreError, Swap, Version};
use crate::oauth::tokens::{Timestamp, Tokens};

/// What is known of a login without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialStatus {
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
pub enum LogoutOutcome {
    /// There was nothing.
    NothingStored,
    /// There were no tokens; what else was stored is deleted.
    Deleted,
    /// The server took the tokens back, and all is deleted.
    Revoked,
    /// All is deleted, but the tokens are good until they end; why, as a clause.
    NotRevoked(String),
}

/// What is stored; none when nobody has signed in.
///
/// # Errors
/// [`SignInError::Store`].
pub(super) async fn status(
    context: &CredentialContext,
) -> Result<Option<CredentialStatus>, SignInError> {
    context.reload().await?;
    Ok(context.cached().map(|current| {
        let tokens = &current.tokens;
        CredentialStatus {
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
pub(super) async fn log_out(context: &CredentialContext) -> Result<LogoutOutcome, SignInError> {
    let outcome = revoke_and_delete_tokens(context).await?;
    let record = context.login_record().load().await?.record;
    let others = [
        delete_record(&context.store.client()).await?,
        delete_record(&server_cache(context)).await?,
        record.is_some_and(|record| record != LoginRecord::after_logout()),
    ];
    if outcome == LogoutOutcome::NothingStored && !others.contains(&true) {
        return Ok(outcome);
    }
    // Otherwise the next request would open a page.
    context
        .login_record()
        .put(LoginRecord::after_logout())
        .await?;
    match outcome {
        LogoutOutcome::NothingStored => Ok(LogoutOutcome::Deleted),
        outcome => Ok(outcome),
    }
}

/// Ends the tokens that are there, and those that somebody gets meanwhile.
async fn revoke_and_delete_tokens(
    context: &CredentialContext,
) -> Result<LogoutOutcome, SignInError> {
    let file = context.store.tokens();
    let (mut seen, mut outcome) = (file.load().await?, LogoutOutcome::NothingStored);
    if seen.version == Version::NONE {
        return Ok(outcome);
    }
    // Who renews them just now finishes first.
    let _lock = context.lock_renewal().await?;
    loop {
        seen = match seen.is_current() {
            true => seen,
            false => file.load().await?,
        };
        if let Some(tokens) = &seen.record {
            outcome = match revoke(context, tokens).await {
                Ok(()) => LogoutOutcome::Revoked,
                Err(why) => LogoutOutcome::NotRevoked(why),
            };
        }
        match file.remove(seen.version).await? {
            Swap::Done(_) => return Ok(outcome),
            Swap::Conflict(current) => seen = current,
        }
    }
}

/// Revokes tokens; on failure says why they stay good, as a clause.
async fn revoke(context: &CredentialContext, tokens: &Tokens) -> Result<(), String> {
    let found = server_for_issuer(context, &tokens.issuer).await;
    let found = found.map_err(|error| error.to_string())?;
    let client = find_client(context, &tokens.issuer, &tokens.client_id).await;
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
async fn delete_record<T: Record>(file: &RecordFile<T>) -> Result<bool, StoreError> {
    let mut seen = file.load().await?;
    let was_there = seen.version != Version::NONE;
    // Without a file nothing is touched, and no folder made.
    while seen.version != Version::NONE {
        match file.remove(seen.version).await? {
            Swap::Done(_) => break,
            Swap::Conflict(current) => seen = current,
        }
    }
    Ok(was_there)
}
