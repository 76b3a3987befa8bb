//! Which authorization server it is, and what to ask it for.

use tracing::debug;

use super::context::CredentialContext;
use super::demand::TokenDemand;
use crate::config::Resource;
use crate::oauth::authority::dpop::DPOP_ALGORITHM;
use crate::oauth::discovery::server_cache::CachedServer;
use crate::oauth::discovery::{Discovered, Question, discover};
use crate::oauth::error::OAuthError;
use crate::oauth::scope::Sources;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{RecordFile, Swap};

/// Asks the upstream who issues its tokens, and keeps the answer.
pub(crate) async fn find_server(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<Discovered, SignInError> {
    let file = server_cache(context);
    let known = file.load().await?.record;
    let question = Question {
        resource_metadata: demand.resource_metadata.as_deref(),
        pinned: context.settings.authorization_server.as_deref(),
        known: known.as_ref().map(|known| known.issuer.as_str()),
        ..Question::new(&context.url)
    };
    let found = discover(&context.clients, &question).await?;
    debug!(issuer = %found.authorization_server.issuer, "found the authorization server");
    if let Some(now) = CachedServer::of(&found).filter(|now| known.as_ref() != Some(now)) {
        file.put(now).await?;
    }
    Ok(found)
}

/// The server that issued some tokens: as it was found then, else as it is found now.
///
/// # Errors
/// [`SignInError`]; [`OAuthError::OtherIssuer`] when it is another by now, which must not see
/// what this one issued.
pub(crate) async fn server_of(
    context: &CredentialContext,
    issuer: &str,
) -> Result<Discovered, SignInError> {
    let known = server_cache(context).load().await?.record;
    let known = known.filter(|known| known.issuer == issuer);
    if let Some(found) = known.and_then(|known| known.read(&context.url)) {
        return Ok(found);
    }
    let found = find_server(context, &TokenDemand::default()).await?;
    let now = found.authorization_server.issuer.as_str();
    if now == issuer {
        return Ok(found);
    }
    let changed = OAuthError::OtherIssuer {
        expected: issuer.to_owned(),
        found: now.to_owned(),
    };
    Err(changed.into())
}

/// Whether the upstream publishes how to sign in.
pub(crate) async fn publishes_sign_in(context: &CredentialContext) -> bool {
    let question = Question {
        pinned: context.settings.authorization_server.as_deref(),
        ..Question::new(&context.url)
    };
    let found = discover(&context.clients, &question).await;
    found.is_ok_and(|found| found.protected_resource.is_some())
}

/// Forgets what was found out, so that it is asked for again.
pub(crate) async fn forget_server(context: &CredentialContext) -> Result<(), SignInError> {
    let file = server_cache(context);
    let seen = file.load().await?;
    // Who lost has nothing to forget any more.
    let (Swap::Done(_) | Swap::Lost(_)) = file.remove(seen.version).await?;
    Ok(())
}

/// The file of what was found out.
pub(crate) fn server_cache(context: &CredentialContext) -> RecordFile<CachedServer> {
    context.store.record_file("metadata.json")
}

/// What a token is asked for (RFC 8707 § 2).
pub(crate) fn requested_resource(
    context: &CredentialContext,
    found: &Discovered,
) -> Option<String> {
    match &context.settings.resource {
        Resource::Discovered => Some(found.resource.clone()),
        Resource::Off => None,
        Resource::Uri(uri) => Some(uri.clone()),
    }
}

/// The scope to ask for: never less than was granted before.
pub(crate) fn requested_scope(
    context: &CredentialContext,
    found: &Discovered,
    demand: &TokenDemand,
) -> Option<String> {
    let resource = found.protected_resource.as_ref();
    let server = &found.authorization_server;
    let current = context.cached();
    let same = current.as_ref().map(|current| &current.tokens);
    let same = same.filter(|tokens| tokens.issuer == server.issuer.as_str());
    let sources = Sources {
        configured: context.settings.scopes.as_deref(),
        challenged: demand.scope.as_deref(),
        of_resource: resource.and_then(|it| it.scopes_supported.as_deref()),
        of_server: server.features.scopes_supported.as_deref(),
        granted: same.and_then(|tokens| tokens.scope.as_deref()),
    };
    sources.select()
}

/// Whether the upstream takes only tokens that are bound to a key (RFC 9449).
pub(crate) fn needs_dpop(found: &Discovered, demand: &TokenDemand) -> bool {
    let resource = found.protected_resource.as_ref();
    let required = resource.is_some_and(|it| it.dpop_bound_access_tokens_required);
    let features = &found.authorization_server.features;
    let known = features.dpop_signing_alg_values_supported.as_deref();
    let can = known.is_none_or(|known| known.iter().any(|name| name == DPOP_ALGORITHM));
    can && (required || demand.dpop)
}
