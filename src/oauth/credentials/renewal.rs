//! The next access token, by the refresh token: once, whoever asks, of all tasks and processes.

use std::sync::Arc;

use tracing::{debug, warn};

use super::client_registration::{client_named, forget_client};
use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::machine_grants::grant;
use super::server_discovery::{find_server, forget_server, server_of};
use super::token_request::TokenRequest;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::credential::Credential;
use crate::oauth::discovery::Discovered;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::Swap;
use crate::oauth::tokens::{Client, Tokens};

/// What to sign the next request with; none when nobody has signed in, or nobody needs to.
pub(crate) async fn credential(
    context: &Arc<CredentialContext>,
) -> Result<Option<Arc<Credential>>, SignInError> {
    if let Some(known) = context.known_good() {
        return Ok(known);
    }
    context.reload().await?;
    let Some(current) = context.cached() else {
        return Ok(None);
    };
    if !current.expires() || !context.can_renew(&current) {
        // Without a way to a better one it is used until it is refused.
        return Ok(Some(current));
    }
    match renew(context, current.clone()).await {
        Ok(_) => Ok(context.cached()),
        // It may be good for a moment more.
        Err(error) if current.is_valid() => {
            debug!(%error, "not renewed yet");
            Ok(Some(current))
        }
        Err(error) => Err(error),
    }
}

/// Renews the tokens, unless somebody did since `used` was read. Says whether there are
/// others now; if not, somebody has to sign in.
///
/// It goes on when the caller is gone: an answer that is not written down costs the login.
pub(crate) async fn renew(
    context: &Arc<CredentialContext>,
    used: Arc<Credential>,
) -> Result<bool, SignInError> {
    let this = context.clone();
    let renewing = async move { renew_now(&this, &used).await };
    context.run_to_end(renewing).await
}

async fn renew_now(context: &CredentialContext, used: &Credential) -> Result<bool, SignInError> {
    let used = Some(&used.tokens.access_token);
    let _one = context.renewing.lock().await;
    if context.has_other_than(used) {
        return Ok(true);
    }
    let _lock = context.lock_renewal().await?;
    context.reload().await?;
    if context.has_other_than(used) {
        return Ok(true);
    }
    let Some(current) = context.cached() else {
        return Ok(false);
    };
    if !context.can_renew(&current) {
        return Ok(false);
    }
    if current.tokens.refresh_token.is_none() {
        let demand = TokenDemand {
            refused: used.cloned(),
            dpop: current.dpop.is_some(),
            ..TokenDemand::default()
        };
        return grant(context, &demand).await.map(|()| true);
    }
    refresh(context, &current).await
}

async fn refresh(context: &CredentialContext, current: &Credential) -> Result<bool, SignInError> {
    let tokens = &current.tokens;
    let client = client_named(context, &tokens.issuer, &tokens.client_id).await?;
    let (Some(refresh_token), Some(client)) = (&tokens.refresh_token, client) else {
        return Ok(false);
    };
    let found = server_of(context, &tokens.issuer).await?;
    let request = TokenRequest::new(context, found, client, false)?;
    let authority = Authority {
        dpop: current.dpop.as_deref(),
        ..request.authority(&context.clients)
    };
    let scope = tokens.scope.as_deref();
    let answer = authority.refresh(refresh_token, scope, tokens.resource.as_deref());
    match answer.await {
        Ok(grant) => {
            swap(context, current, tokens.clone().refreshed(grant)).await?;
            debug!("renewed the access token");
            Ok(true)
        }
        Err(error) if error.is_transient() => {
            // It may be gone for good, and another in its place.
            let found = find_server(context, &TokenDemand::default()).await;
            let issuer = |found: &Discovered| found.authorization_server.issuer.to_string();
            match found.is_ok_and(|found| issuer(&found) != tokens.issuer) {
                true => Ok(false),
                false => Err(error.into()),
            }
        }
        Err(error) => {
            warn!(%error, "the login cannot be renewed");
            give_up(context, current, &request.client, &error).await?;
            Ok(context.has_other_than(Some(&tokens.access_token)))
        }
    }
}

/// Takes a refresh token that is of no use out of the file, unless the file has another by now.
async fn give_up(
    context: &CredentialContext,
    current: &Credential,
    client: &Client,
    error: &TokenError,
) -> Result<(), SignInError> {
    match error {
        TokenError::InvalidClient { .. } => forget_client(context, client).await?,
        // The endpoint may have moved since it was found out.
        TokenError::Malformed { .. } => return forget_server(context).await,
        _ => {}
    }
    let spent = Tokens {
        refresh_token: None,
        ..current.tokens.clone()
    };
    swap(context, current, spent).await
}

/// Puts tokens in the place of the current ones, or takes what another process put there.
async fn swap(
    context: &CredentialContext,
    current: &Credential,
    tokens: Tokens,
) -> Result<(), SignInError> {
    let file = context.store.tokens();
    match file.replace(current.version, tokens).await? {
        Swap::Done(there) | Swap::Lost(there) => context.adopt(there),
    }
    Ok(())
}
