//! Renews the access token with the refresh token: once, across all tasks and processes.

use std::sync::Arc;

use tracing::{debug, warn};

use super::client_registration::{find_client, remove_client};
use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::machine_grants::request_token;
use super::server_discovery::{clear_server_cache, discover_server, server_for_issuer};
use super::token_request::TokenRequest;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::credential::Credential;
use crate::oauth::discovery::Discovered;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::Swap;
use crate::oauth::tokens::{ClientInformation, Tokens};

/// Returns the credential for the next request, renewed if it expires soon. `None` if the user has
/// not signed in, or need not.
pub(crate) async fn get_or_renew(
    context: &Arc<CredentialContext>,
) -> Result<Option<Arc<Credential>>, SignInError> {
    if let Some(cached) = context.cached_unless_stale() {
        return Ok(cached);
    }
    context.reload().await?;
    let Some(current) = context.cached() else {
        return Ok(None);
    };
    if !current.expires_soon() || !context.can_renew(&current) {
        // A token that cannot be renewed is used until the upstream refuses it.
        return Ok(Some(current));
    }
    match renew(context, current.clone()).await {
        Ok(_) => Ok(context.cached()),
        // The token is still valid for a moment.
        Err(error) if !current.has_expired() => {
            debug!(%error, "token renewal failed; using the current token");
            Ok(Some(current))
        }
        Err(error) => Err(error),
    }
}

/// Renews the tokens, unless another task or process has replaced `used`. Returns `true` if there
/// are other tokens now; otherwise the user has to sign in.
///
/// Continues if the caller is dropped: a response that is not stored loses the login.
pub(crate) async fn renew(
    context: &Arc<CredentialContext>,
    used: Arc<Credential>,
) -> Result<bool, SignInError> {
    let this = context.clone();
    let renewal = async move { renew_under_lock(&this, &used).await };
    context.run_to_completion(renewal).await
}

async fn renew_under_lock(
    context: &CredentialContext,
    used: &Credential,
) -> Result<bool, SignInError> {
    let used = Some(&used.tokens.access_token);
    let _mutex = context.renewal_mutex.lock().await;
    if context.has_token_other_than(used) {
        return Ok(true);
    }
    let _lock = context.lock_renewal().await?;
    context.reload().await?;
    if context.has_token_other_than(used) {
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
            refused_token: used.cloned(),
            requires_dpop: current.dpop.is_some(),
            ..TokenDemand::default()
        };
        return request_token(context, &demand).await.map(|()| true);
    }
    refresh(context, &current).await
}

async fn refresh(context: &CredentialContext, current: &Credential) -> Result<bool, SignInError> {
    let tokens = &current.tokens;
    let client = find_client(context, &tokens.issuer, &tokens.client_id).await?;
    let (Some(refresh_token), Some(client)) = (&tokens.refresh_token, client) else {
        return Ok(false);
    };
    let found = server_for_issuer(context, &tokens.issuer).await?;
    let request = TokenRequest::new(context, found, client, false)?;
    let authority = Authority {
        dpop: current.dpop.as_deref(),
        ..request.authority(&context.clients)
    };
    let scope = tokens.scope.as_deref();
    let result = authority.refresh(refresh_token, scope, tokens.resource.as_deref());
    match result.await {
        Ok(response) => {
            replace_tokens(context, current, tokens.clone().refreshed(response)).await?;
            debug!("renewed the access token");
            Ok(true)
        }
        Err(error) if error.is_transient() => {
            // The upstream may have moved to another authorization server.
            let found = discover_server(context, &TokenDemand::default()).await;
            let issuer = |found: &Discovered| found.authorization_server.issuer.to_string();
            match found.is_ok_and(|found| issuer(&found) != tokens.issuer) {
                true => Ok(false),
                false => Err(error.into()),
            }
        }
        Err(error) => {
            warn!(%error, "token renewal failed");
            discard_refresh_token(context, current, &request.client, &error).await?;
            Ok(context.has_token_other_than(Some(&tokens.access_token)))
        }
    }
}

/// Removes an invalid refresh token from the file, unless the file has another one.
async fn discard_refresh_token(
    context: &CredentialContext,
    current: &Credential,
    client: &ClientInformation,
    error: &TokenError,
) -> Result<(), SignInError> {
    match error {
        TokenError::InvalidClient { .. } => remove_client(context, client).await?,
        // The endpoint may have moved since discovery.
        TokenError::Malformed { .. } => return clear_server_cache(context).await,
        _ => {}
    }
    let unrenewable = Tokens {
        refresh_token: None,
        ..current.tokens.clone()
    };
    replace_tokens(context, current, unrenewable).await
}

/// Replaces the current tokens, or uses those that another process stored first.
async fn replace_tokens(
    context: &CredentialContext,
    current: &Credential,
    tokens: Tokens,
) -> Result<(), SignInError> {
    let file = context.store.tokens();
    match file.replace(current.version, tokens).await? {
        Swap::Done(snapshot) | Swap::Conflict(snapshot) => context.update_cache(snapshot),
    }
    Ok(())
}
