//! The status of a stored login, and logging out.

use crate::oauth::credentials::client_registration::find_client;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::credentials::server_discovery::{server_cache, server_for_issuer};
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::login_record::LoginRecord;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Record, RecordFile, StoreError, Swap, Version};
use crate::oauth::tokens::{Timestamp, Tokens};

/// A summary of the stored login, made without a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialStatus {
    /// The issuer of the tokens.
    pub issuer: String,
    /// The client that the tokens were issued to.
    pub client_id: String,
    /// The granted scope, separated by spaces.
    pub scope: Option<String>,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
    /// Whether the token can be renewed without the user.
    pub renewable: bool,
}

/// How logging out ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutOutcome {
    /// Nothing was stored.
    NothingStored,
    /// No tokens were stored; the other files are deleted.
    Deleted,
    /// The server revoked the tokens, and all files are deleted.
    Revoked,
    /// All files are deleted, but the tokens remain valid until they expire; the reason as a
    /// clause.
    NotRevoked(String),
}

/// Returns what is stored. `None` if the user has not signed in.
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

/// Revokes the tokens where the server supports it (RFC 7009), then deletes everything stored.
///
/// # Errors
/// [`SignInError::Store`]: the login is still stored.
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
    // Records the logout; otherwise the next request would open a sign-in page.
    context
        .login_record()
        .put(LoginRecord::after_logout())
        .await?;
    match outcome {
        LogoutOutcome::NothingStored => Ok(LogoutOutcome::Deleted),
        outcome => Ok(outcome),
    }
}

/// Revokes and deletes the stored tokens, and any that another process stores meanwhile.
async fn revoke_and_delete_tokens(
    context: &CredentialContext,
) -> Result<LogoutOutcome, SignInError> {
    let file = context.store.tokens();
    let (mut seen, mut outcome) = (file.load().await?, LogoutOutcome::NothingStored);
    if seen.version == Version::NONE {
        return Ok(outcome);
    }
    // A renewal in progress finishes first.
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

/// Revokes tokens. Otherwise returns the reason why they remain valid, as a clause.
async fn revoke(context: &CredentialContext, tokens: &Tokens) -> Result<(), String> {
    let found = server_for_issuer(context, &tokens.issuer).await;
    let found = found.map_err(|error| error.to_string())?;
    let client = find_client(context, &tokens.issuer, &tokens.client_id).await;
    let client = client.map_err(|error| error.to_string())?;
    let client = client.ok_or("the client that they were issued to is no longer registered")?;
    let request = TokenRequest::new(context, found, client, false);
    let request = request.map_err(|error| error.to_string())?;
    let authority = request.authority(&context.clients);
    // Revoking a refresh token revokes the tokens issued with it (RFC 7009 § 2.1).
    let revoked = match &tokens.refresh_token {
        Some(token) => authority.revoke(token, "refresh_token").await,
        None => authority.revoke(&tokens.access_token, "access_token").await,
    };
    revoked.map_err(|error| error.to_string())
}

/// Deletes a file with any content. Returns `true` if there was one.
async fn delete_record<T: Record>(file: &RecordFile<T>) -> Result<bool, StoreError> {
    let mut seen = file.load().await?;
    let was_there = seen.version != Version::NONE;
    // Without a file nothing is touched, and no folder is created.
    while seen.version != Version::NONE {
        match file.remove(seen.version).await? {
            Swap::Done(_) => break,
            Swap::Conflict(current) => seen = current,
        }
    }
    Ok(was_there)
}
