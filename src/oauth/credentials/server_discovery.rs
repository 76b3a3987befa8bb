//! Which authorization server to ask, and what to request from it.

use tracing::debug;

use super::context::CredentialContext;
use super::demand::TokenDemand;
use crate::config::Resource;
use crate::oauth::authority::dpop::DPOP_ALGORITHM;
use crate::oauth::discovery::server_cache::CachedServer;
use crate::oauth::discovery::{Discovered, DiscoveryRequest, discover};
use crate::oauth::error::DiscoveryError;
use crate::oauth::scope::ScopeSources;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{RecordFile, Swap};

/// Discovers the upstream's authorization server, and caches it.
pub(crate) async fn discover_server(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<Discovered, SignInError> {
    let file = server_cache(context);
    let cached = file.load().await?.record;
    let request = DiscoveryRequest {
        resource_metadata: demand.resource_metadata.as_deref(),
        pinned_issuer: context.settings.authorization_server.as_deref(),
        preferred_issuer: cached.as_ref().map(|cached| cached.issuer.as_str()),
        ..DiscoveryRequest::new(&context.url)
    };
    let found = discover(&context.clients, &request).await?;
    debug!(issuer = %found.authorization_server.issuer, "found the authorization server");
    if let Some(server) =
        CachedServer::from_discovered(&found).filter(|server| cached.as_ref() != Some(server))
    {
        file.put(server).await?;
    }
    Ok(found)
}

/// Returns the server that issued some tokens: from the cache, otherwise by discovery.
///
/// # Errors
/// [`SignInError`]; [`DiscoveryError::IssuerMismatch`] if the upstream now uses another issuer,
/// which must not receive these tokens.
pub(crate) async fn server_for_issuer(
    context: &CredentialContext,
    issuer: &str,
) -> Result<Discovered, SignInError> {
    let cached = server_cache(context).load().await?.record;
    let cached = cached.filter(|cached| cached.issuer == issuer);
    if let Some(found) = cached.and_then(|cached| cached.to_discovered(&context.url)) {
        return Ok(found);
    }
    let found = discover_server(context, &TokenDemand::default()).await?;
    let current = found.authorization_server.issuer.as_str();
    if current == issuer {
        return Ok(found);
    }
    let mismatch = DiscoveryError::IssuerMismatch {
        expected: issuer.to_owned(),
        found: current.to_owned(),
    };
    Err(mismatch.into())
}

/// Returns `true` if the upstream publishes resource metadata.
pub(crate) async fn publishes_resource_metadata(context: &CredentialContext) -> bool {
    let request = DiscoveryRequest {
        pinned_issuer: context.settings.authorization_server.as_deref(),
        ..DiscoveryRequest::new(&context.url)
    };
    let found = discover(&context.clients, &request).await;
    found.is_ok_and(|found| found.protected_resource.is_some())
}

/// Deletes the cached server, so that the next request discovers it again.
pub(crate) async fn clear_server_cache(context: &CredentialContext) -> Result<(), SignInError> {
    let file = server_cache(context);
    let seen = file.load().await?;
    // On a conflict, another process has replaced the record already.
    let (Swap::Done(_) | Swap::Conflict(_)) = file.remove(seen.version).await?;
    Ok(())
}

/// Returns the file of the cached server.
pub(crate) fn server_cache(context: &CredentialContext) -> RecordFile<CachedServer> {
    context.store.record_file("metadata.json")
}

/// Returns the resource to request a token for (RFC 8707 § 2).
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

/// Returns the scope to request: never less than was granted before.
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
    let sources = ScopeSources {
        configured: context.settings.scopes.as_deref(),
        challenged: demand.scope.as_deref(),
        resource_metadata: resource.and_then(|it| it.scopes_supported.as_deref()),
        server_metadata: server.features.scopes_supported.as_deref(),
        granted: same.and_then(|tokens| tokens.scope.as_deref()),
    };
    sources.select()
}

/// Returns `true` if the upstream accepts only tokens bound to a key (RFC 9449).
pub(crate) fn needs_dpop(found: &Discovered, demand: &TokenDemand) -> bool {
    let resource = found.protected_resource.as_ref();
    let required = resource.is_some_and(|it| it.dpop_bound_access_tokens_required);
    let features = &found.authorization_server.features;
    let cached = features.dpop_signing_alg_values_supported.as_deref();
    let can = cached.is_none_or(|cached| cached.iter().any(|name| name == DPOP_ALGORITHM));
    can && (required || demand.requires_dpop)
}
