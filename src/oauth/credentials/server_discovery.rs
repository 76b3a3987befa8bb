//! Which authorization server it is, and what to ask it for.

use tracing::debug;

use crate::config::Resource;
use crate::oauth::SignInError;
use crate::oauth::authority::dpop::DPOP_ALGORITHM;
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::discovery::server_cache::CachedServer;
use crate::oauth::discovery::{Discovered, Question, discover};
use crate::oauth::error::OAuthError;
use crate::oauth::scope::Sources;
use crate::oauth::store::{RecordFile, Swap};

impl Authorizer {
    /// Asks the upstream who issues its tokens, and keeps the answer.
    pub(in crate::oauth) async fn find_server(
        &self,
        demand: &TokenDemand,
    ) -> Result<Discovered, SignInError> {
        let slot = self.known();
        let known = slot.load().await?.record;
        let question = Question {
            resource_metadata: demand.resource_metadata.as_deref(),
            pinned: self.config.authorization_server.as_deref(),
            known: known.as_ref().map(|known| known.issuer.as_str()),
            ..Question::new(&self.url)
        };
        let found = discover(&self.around.clients, &question).await?;
        debug!(issuer = %found.authorization_server.issuer, "found the authorization server");
        if let Some(now) = CachedServer::of(&found).filter(|now| known.as_ref() != Some(now)) {
            slot.put(now).await?;
        }
        Ok(found)
    }

    /// The server that issued some tokens: as it was found then, else as it is found now.
    ///
    /// # Errors
    /// [`SignInError`]; [`OAuthError::OtherIssuer`] when it is another by now, which must not see
    /// what this one issued.
    pub(in crate::oauth) async fn server_of(
        &self,
        issuer: &str,
    ) -> Result<Discovered, SignInError> {
        let known = self.known().load().await?.record;
        let known = known.filter(|known| known.issuer == issuer);
        if let Some(found) = known.and_then(|known| known.read(&self.url)) {
            return Ok(found);
        }
        let found = self.find_server(&TokenDemand::default()).await?;
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

    /// Forgets what was found out, so that it is asked for again.
    pub(in crate::oauth) async fn forget_server(&self) -> Result<(), SignInError> {
        let slot = self.known();
        let seen = slot.load().await?;
        // Who lost has nothing to forget any more.
        let (Swap::Done(_) | Swap::Lost(_)) = slot.remove(seen.version).await?;
        Ok(())
    }

    pub(in crate::oauth) fn known(&self) -> RecordFile<CachedServer> {
        self.store.slot("metadata.json")
    }

    /// What a token is asked for (RFC 8707 § 2).
    pub(in crate::oauth) fn resource(&self, found: &Discovered) -> Option<String> {
        match &self.config.resource {
            Resource::Discovered => Some(found.resource.clone()),
            Resource::Off => None,
            Resource::Uri(uri) => Some(uri.clone()),
        }
    }

    /// The scope to ask for: never less than was granted before.
    pub(in crate::oauth) fn scope(
        &self,
        found: &Discovered,
        demand: &TokenDemand,
    ) -> Option<String> {
        let resource = found.protected_resource.as_ref();
        let server = &found.authorization_server;
        let held = self.held();
        let same = held.as_ref().map(|held| &held.tokens);
        let same = same.filter(|tokens| tokens.issuer == server.issuer.as_str());
        let sources = Sources {
            configured: self.config.scopes.as_deref(),
            challenged: demand.scope.as_deref(),
            of_resource: resource.and_then(|it| it.scopes_supported.as_deref()),
            of_server: server.features.scopes_supported.as_deref(),
            granted: same.and_then(|tokens| tokens.scope.as_deref()),
        };
        sources.select()
    }

    /// Whether the upstream takes only tokens that are bound to a key (RFC 9449).
    pub(in crate::oauth) fn needs_dpop(found: &Discovered, demand: &TokenDemand) -> bool {
        let resource = found.protected_resource.as_ref();
        let required = resource.is_some_and(|it| it.dpop_bound_access_tokens_required);
        let features = &found.authorization_server.features;
        let known = features.dpop_signing_alg_values_supported.as_deref();
        let can = known.is_none_or(|known| known.iter().any(|name| name == DPOP_ALGORITHM));
        can && (required || demand.dpop)
    }
}
